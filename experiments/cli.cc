#include "experiments/cli.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <csignal>
#include <sstream>

#include "core/options.h"
#include "core/sudden_end.h"

namespace spillway {
namespace {

// When the first signal came, in nanoseconds; 0: none has. The one thing of ours a handler changes.
std::atomic<int64_t> first_signal_ns{0};
static_assert(std::atomic<int64_t>::is_always_lock_free);

// `timeout` signals its child and then its group, so one wish may come twice in a row.
constexpr int64_t kSameWishNs = 300'000'000;

void on_signal(int number) {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  const int64_t now = int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec + 1;
  int64_t first = 0;
  if (first_signal_ns.compare_exchange_strong(first, now) || now - first < kSameWishNs) {
    return;
  }
  take_end_steps();
  std::signal(number, SIG_DFL);
  ::kill(::getpid(), number);  // ends the process when this handler returns
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::string command_names(const CLI::App& app) {
  std::string names;
  for (const CLI::App* command : commands_of(app)) {
    names += names.empty() ? command->get_name() : ", " + command->get_name();
  }
  return names;
}

std::string path_of(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : path_of(*app.get_parent()) + " " + app.get_name();
}

// An option whose text `read` takes or refuses; CLI11 wants a refusal thrown.
CLI::Option* add_checked(CLI::App& app, const std::string& name,
                         std::function<Result<void>(const std::string&)> read, const std::string& help) {
  const auto read_or_throw = [name, read = std::move(read)](const std::string& text) {
    if (const Result<void> done = read(text); !done) {
      throw CLI::ValidationError(name, done.error().message);
    }
  };
  return app.add_option_function<std::string>(name, read_or_throw, help);
}

}  // namespace

bool interrupted() {
  return first_signal_ns.load(std::memory_order_relaxed) != 0;
}

void catch_interrupts() {
  for (const int number : {SIGINT, SIGTERM, SIGQUIT, SIGXCPU}) {
    std::signal(number, on_signal);
  }
  // A closed terminal must not leave half a store or a cgroup behind; but nohup means what it says.
  if (std::signal(SIGHUP, on_signal) == SIG_IGN) {
    std::signal(SIGHUP, SIG_IGN);
  }
  // A reader that went away and a file beyond the limit are errors of the write, which are reported and
  // cleaned up after like any other.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

Result<void> check_commands(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* at = &app;
  for (size_t i = 0; at->get_require_subcommand_min() > 0; ++i) {
    const std::string names = command_names(*at);
    if (i == words.size()) {
      return wrong_usage("{} needs a command; there are: {}", path_of(*at), names);
    }
    const std::string& word = words[i];
    if (word.starts_with('-')) {
      return at->get_option_no_throw(word) != nullptr
                 ? Result<void>()
                 : wrong_usage("{} has no option '{}'; it needs a command: {}", path_of(*at), word, names);
    }
    const std::vector<const CLI::App*> commands = commands_of(*at);
    const auto next = std::find_if(commands.begin(), commands.end(),
                                   [&](const CLI::App* command) { return command->get_name() == word; });
    if (next == commands.end()) {
      return wrong_usage("there is no command '{} {}'; there are: {}", path_of(*at), word, names);
    }
    at = *next;
  }
  return {};
}

Result<uint64_t> parse_count(const std::string& text, CountRange range) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, value);
  if (problem != std::errc{} || stop != end || value < range.least || value > range.most) {
    // The largest number there is limits nobody, and only clutters the line.
    const bool open = range.most == std::numeric_limits<uint64_t>::max();
    return wrong_usage("'{}' is not a whole number {}", text,
                       open ? fmt::format("of at least {}", range.least)
                            : fmt::format("from {} to {}", range.least, range.most));
  }
  return value;
}

Result<double> parse_real(const std::string& text, RealRange range) {
  double value = 0;
  const Result<void> read = read_option(text, value);
  if (!read || value < range.least || value > range.most) {
    return wrong_usage("'{}' is not a number from {} to {}", text, range.least, range.most);
  }
  return value;
}

CLI::Option* add_count_function(CLI::App& app, const std::string& name, CountRange range,
                                std::function<void(uint64_t)> set, const std::string& help) {
  const auto read = [range, set = std::move(set)](const std::string& text) -> Result<void> {
    Result<uint64_t> value = parse_count(text, range);
    if (!value) {
      return propagate(value);
    }
    set(*value);
    return {};
  };
  return add_checked(app, name, read, help)->type_name("N");
}

CLI::Option* add_real(CLI::App& app, const std::string& name, RealRange range, double& value,
                      const std::string& help) {
  const auto read = [range, &value](const std::string& text) -> Result<void> {
    Result<double> number = parse_real(text, range);
    if (!number) {
      return propagate(number);
    }
    value = *number;
    return {};
  };
  return add_checked(app, name, read, help);
}

CLI::Option* add_size(CLI::App& app, const std::string& name, Bytes& value, const std::string& help) {
  const auto read = [&value](const std::string& text) -> Result<void> {
    const Result<Bytes> parsed = parse_bytes(text);
    if (!parsed) {
      return Unexpected(parsed.error());
    }
    value = *parsed;
    return {};
  };
  return add_checked(app, name, read, help)->type_name("SIZE");
}

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> list;
  std::istringstream pieces(text);
  for (std::string piece; std::getline(pieces, piece, ',');) {
    const bool continues = piece.find('=') != std::string::npos && piece.find(':') == std::string::npos;
    if (continues && !list.empty()) {
      list.back() += ',' + piece;
    } else if (!piece.empty()) {
      list.push_back(piece);
    }
  }
  return list;
}

}  // namespace spillway
