#include "app/cli/command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <sstream>

#include "app/cli/command_words.h"
#include "app/cli/path_list.h"
#include "app/cli/progress.h"
#include "core/nearest.h"
#include "core/options.h"
#include "core/text.h"
#include "host/file_place.h"

namespace spillway {
namespace {

// Returns the innermost command that was recognised, as the user would type it.
std::string parsed_path(const CLI::App& app) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
  }
  return path_of(*at);
}

// The program's own command, which knows the outputs of all commands.
class Program : public CLI::App {
 public:
  using CLI::App::App;
  std::set<const CLI::Option*> outputs;
};

Program& program_of(CLI::App& app) {
  CLI::App* at = &app;
  while (at->get_parent() != nullptr) {
    at = at->get_parent();
  }
  return static_cast<Program&>(*at);  // CommandLine makes no other
}

std::string usual_name(const CLI::Option& option) {
  return option.get_positional() ? option.get_name(true) : option.get_name();
}

// Refuses an output that is an input or another output.
Result<void> check_outputs(const Program& program, const CLI::App& command) {
  for (const CLI::Option* output : command.get_options()) {
    if (!program.outputs.contains(output) || output->empty()) {
      continue;
    }
    const std::string path = output->results().back();
    for (const CLI::Option* other : command.get_options()) {
      const bool writes = program.outputs.contains(other);
      // Of two outputs the later one is named.
      if (other == output || other->empty() || (!writes && !is_path_name(other->get_type_name())) ||
          (writes && other > output)) {
        continue;
      }
      for (const std::string& word : other->results()) {
        for (const std::string& one : split_paths(word)) {
          if (one == "-" ? writes && path == "-" : same_file(path, one)) {
            return writes ? wrong_usage("{} {}: {} writes to the same place; name another file",
                                        usual_name(*output), path, usual_name(*other))
                          : wrong_usage("{} {}: this is the input file of {} ({}); name another file",
                                        usual_name(*output), path, usual_name(*other), one);
          }
        }
      }
    }
  }
  return {};
}

// Adds an option whose text `read` accepts or refuses. CLI11 wants a refusal to be thrown.
CLI::Option* add_checked(CLI::App& app, const std::string& name,
                         std::function<Result<void>(const std::string&)> read, const std::string& help) {
  const auto read_or_throw = [name, read = std::move(read)](const std::string& text) {
    if (const Result<void> done = read(text); !done) {
      throw CLI::ValidationError(name, done.error().message);
    }
  };
  return app.add_option_function<std::string>(name, read_or_throw, help);
}

Option add_count(CLI::App& app, const std::string& name, CountRange range, std::string default_text,
                 std::function<void(uint64_t)> set, const std::string& help) {
  const auto read = [range, set = std::move(set)](const std::string& text) -> Result<void> {
    Result<uint64_t> value = parse_count(text, range);
    if (!value) {
      return propagate(value);
    }
    set(*value);
    return {};
  };
  return {add_checked(app, name, read, help)->type_name("N"), std::move(default_text)};
}

CountRange within_32_bits(CountRange range) {
  return {range.least, std::min<uint64_t>(range.most, std::numeric_limits<uint32_t>::max())};
}

}  // namespace

bool is_path_name(std::string_view value_name) {
  constexpr std::array<std::string_view, 18> kPaths = {
      "FILE",   "TRACE",  "DIR",   "FILE|DIR", "PATH",     "GGUF",   "IN.gguf", "OUT.gguf", "RESULT",
      "REPORT", "DEVICE", "DRIVE", "MACHINE",  "LOCALITY", "PRESET", "RUNTIME", "MODEL",    "STORE"};
  return std::find(kPaths.begin(), kPaths.end(), value_name) != kPaths.end();
}

Result<uint64_t> parse_count(const std::string& text, CountRange range) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, value);
  if (problem != std::errc{} || stop != end || value < range.least || value > range.most) {
    // The largest possible number is no limit for anybody and would only clutter the line.
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

Option& Option::required() {
  option_->required();
  return *this;
}

Option& Option::type_name(const std::string& name) {
  option_->type_name(name);
  return *this;
}

Option& Option::show_default() {
  option_->default_str(default_text_);
  return *this;
}

Option& Option::one_of(const std::vector<std::string>& names) {
  option_->check(CLI::IsMember(names));
  return *this;
}

Option& Option::comma_separated() {
  option_->delimiter(',');
  return *this;
}

Option& Option::one_word_each() {
  option_->allow_extra_args(false);
  return *this;
}

Option& Option::excludes(const Option& other) {
  option_->excludes(other.option_);
  return *this;
}

bool Option::given() const {
  return option_->count() > 0;
}

Command Command::subcommand(const std::string& name, const std::string& summary) {
  app_->require_subcommand(1);
  return Command(app_->add_subcommand(name, summary));
}

void Command::footer(const std::string& text) {
  app_->footer(text);
}

void Command::hidden() {
  app_->group("");
}

Option Command::text(const std::string& name, std::string& value, const std::string& help) {
  return {app_->add_option(name, value, help), value};
}

Option Command::texts(const std::string& name, std::vector<std::string>& values, const std::string& help) {
  return {app_->add_option(name, values, help), join(values, ",")};
}

Option Command::output(const std::string& name, std::string& value, const std::string& help) {
  CLI::Option* const option = app_->add_option(name, value, help)->type_name("FILE");
  program_of(*app_).outputs.insert(option);
  return {option, value};
}

Option Command::paths(const std::string& name, std::vector<std::string>& values, const std::string& help) {
  const auto read = [&values](const std::vector<std::string>& lists) {
    values.clear();
    for (const std::string& list : lists) {
      const std::vector<std::string> paths = split_paths(list);
      values.insert(values.end(), paths.begin(), paths.end());
    }
    return true;
  };
  CLI::Option* const option = app_->add_option_function<std::vector<std::string>>(name, read, help);
  // Of words without end, CLI11 would take `[a,b]` for a list, and a path may have these signs.
  constexpr int kMostWords = 1 << 16;
  option->expected(1, kMostWords)->allow_extra_args(false);
  return {option, join(values, ",")};
}

void Command::flag(const std::string& name, bool& value, const std::string& help) {
  app_->add_flag(name, value, help);
}

Option Command::count(const std::string& name, CountRange range, uint32_t& value, const std::string& help) {
  const auto set = [&value](uint64_t count) { value = uint32_t(count); };
  return add_count(*app_, name, within_32_bits(range), fmt::format("{}", value), set, help);
}

Option Command::count(const std::string& name, CountRange range, uint64_t& value, const std::string& help) {
  const auto set = [&value](uint64_t count) { value = count; };
  return add_count(*app_, name, range, fmt::format("{}", value), set, help);
}

Option Command::count(const std::string& name, CountRange range, std::optional<uint32_t>& value,
                      const std::string& help) {
  const auto set = [&value](uint64_t count) { value = uint32_t(count); };
  return add_count(*app_, name, within_32_bits(range), "", set, help);
}

Option Command::count(const std::string& name, CountRange range, std::optional<uint64_t>& value,
                      const std::string& help) {
  const auto set = [&value](uint64_t count) { value = count; };
  return add_count(*app_, name, range, "", set, help);
}

Option Command::real(const std::string& name, RealRange range, double& value, const std::string& help) {
  const auto read = [range, &value](const std::string& text) -> Result<void> {
    Result<double> number = parse_real(text, range);
    if (!number) {
      return propagate(number);
    }
    value = *number;
    return {};
  };
  return {add_checked(*app_, name, read, help), fmt::format("{}", value)};
}

Option Command::size(const std::string& name, Bytes& value, const std::string& help) {
  const auto read = [&value](const std::string& text) { return read_option(text, value); };
  return {add_checked(*app_, name, read, help)->type_name("SIZE"), exact_bytes(value)};
}

Option Command::rate(const std::string& name, BytesPerSecond least, BytesPerSecond& value,
                     const std::string& help) {
  const auto read = [least, &value](const std::string& text) -> Result<void> {
    BytesPerSecond given;
    if (Result<void> good = read_option(text, given); !good) {
      return good;
    }
    if (given < least) {
      return wrong_usage("'{}' is too slow to wait for; give at least {}", text, option_text(least));
    }
    value = given;
    return {};
  };
  return {add_checked(*app_, name, read, help)->type_name("RATE"), option_text(value)};
}

Option Command::parsed(const std::string& name, std::string default_text,
                       std::function<Result<void>(const std::string&)> read, const std::string& help) {
  return {add_checked(*app_, name, std::move(read), help), std::move(default_text)};
}

void Command::runs(Invocation& invocation, std::function<Result<void>()> run) {
  app_->add_flag_callback("--quiet", be_quiet, "Print neither progress nor notes to stderr, only errors");
  app_->callback([&invocation, run = std::move(run)] { invocation.run = run; });
}

CommandLine::CommandLine(const std::string& program, const std::string& summary, const std::string& version)
    : app_(std::make_unique<Program>(summary)) {
  app_->name(program);
  app_->set_version_flag("-V,--version", version);
}

CommandLine::~CommandLine() = default;

Command CommandLine::program() {
  return Command(app_.get());
}

Result<bool> CommandLine::parse(std::vector<std::string> words) {
  words = as_options(std::move(words));
  if (Result<void> known = check_commands(*app_, words); !known) {
    return propagate(known);
  }
  if (Result<void> known = check_options(*app_, words); !known) {
    return propagate(known);
  }
  try {
    std::reverse(words.begin(), words.end());  // the order in which CLI11 takes a vector
    app_->parse(words);
  } catch (const CLI::ParseError& problem) {
    if (problem.get_exit_code() == int(CLI::ExitCodes::Success)) {  // --help or --version
      app_->exit(problem);
      return false;
    }
    return wrong_usage("{}; see {} --help", problem.what(), parsed_path(*app_));
  }
  const CLI::App* command = app_.get();
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
  }
  if (Result<void> apart = check_outputs(static_cast<const Program&>(*app_), *command); !apart) {
    return propagate(apart);
  }
  return true;
}

Result<std::string> CommandLine::spelling(const std::string& command, const std::string& name) const {
  const CLI::App* at = app_.get();
  std::istringstream words(command);
  for (std::string word; words >> word;) {
    const std::vector<const CLI::App*> commands = commands_of(*at);
    const auto next = std::find_if(commands.begin(), commands.end(),
                                   [&](const CLI::App* one) { return one->get_name() == word; });
    if (next == commands.end()) {
      return wrong_usage("there is no command '{} {}'; there are: {}", path_of(*at), word,
                         command_names(*at));
    }
    at = *next;
  }
  for (const std::string& spelled : {"--" + name, "-" + name}) {
    const bool right_length = spelled[1] == '-' || name.size() == 1;
    if (right_length && at->get_option_no_throw(spelled) != nullptr) {
      return spelled;
    }
  }
  if (!name.starts_with('-') && at->get_option_no_throw(name) != nullptr) {
    return std::string();
  }
  return wrong_usage("{} has no option '{}'; see {} --help", path_of(*at), name, path_of(*at));
}

}  // namespace spillway
