#include "experiments/cli.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cmath>
#include <csignal>
#include <sstream>

#include "core/options.h"
#include "core/sudden_end.h"

namespace spillway {
namespace {

// When the first signal came, in nanoseconds; 0: none has.
std::atomic<int64_t> first_signal_ns{0};
static_assert(std::atomic<int64_t>::is_always_lock_free);

// `timeout` signals its child and then its group, so one wish may come twice in a row.
constexpr int64_t kSameWishNs = 300'000'000;

// What others send to end us, or what a timer of theirs sends when time is up.
constexpr std::array kWishes = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,   SIGXCPU,
                                SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF};

// What a bug of ours or of the machine raises.
constexpr std::array kCrashes = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV};

void on_wish(int number) {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  const int64_t now = int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec + 1;
  interrupt();
  int64_t first = 0;
  if (first_signal_ns.compare_exchange_strong(first, now) || now - first < kSameWishNs) {
    return;
  }
  take_end_steps();
  std::signal(number, SIG_DFL);
  ::kill(::getpid(), number);  // ends the process when this handler returns
}

void on_crash(int number) {
  take_end_steps();
  ::raise(number);  // SA_RESETHAND: it ends the process when this handler returns
}

// Only where nobody has been before us. What was ignored when we were started stays so: nohup, and a shell's
// background job, mean what they say. And a sanitizer's handler has more to say of a crash than we have.
// Never with SA_RESTART: waiting for the other end of a pipe is to end.
void handle(int number, void (*handler)(int), int flags) {
  struct sigaction action = {};
  if (::sigaction(number, nullptr, &action) != 0 || action.sa_handler != SIG_DFL) {
    return;
  }
  action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  ::sigfillset(&action.sa_mask);
  ::sigaction(number, &action, nullptr);
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

void catch_interrupts() {
  for (const int number : kWishes) {
    handle(number, on_wish, 0);
  }
  for (const int number : kCrashes) {
    handle(number, on_crash, int(SA_RESETHAND));
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
