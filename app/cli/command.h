#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/cli/description.h"
#include "core/plugin.h"
#include "core/result.h"
#include "core/units.h"

// The door to CLI11, which is behind it only in command.cc and description.cc: its headers take longer to
// compile than a whole command.
namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace spillway {

// What the command line asked for. Each add_* function in commands/ declares one subcommand with its options,
// and what it runs; main calls `run` after parsing and turns its error into the exit status.
struct Invocation {
  std::function<Result<void>()> run;
  std::string command_line;  // as typed, for the report
};

// What a number may be, both ends included.
struct CountRange {
  uint64_t least = 0;
  uint64_t most = std::numeric_limits<uint64_t>::max();
};
struct RealRange {
  double least = 0;
  double most = 0;
};

// CLI11 reads numbers as C does: -1 as 18446744073709551615, 010 as 8, nan as a number within every range.
Result<uint64_t> parse_count(const std::string& text, CountRange range);
Result<double> parse_real(const std::string& text, RealRange range);

// An option that was declared: a handle, valid as long as its CommandLine.
class Option {
 public:
  Option() = default;  // of nothing; only to be assigned to
  Option(CLI::Option* option, std::string default_text)
      : option_(option), default_text_(std::move(default_text)) {}

  Option& required();
  Option& type_name(const std::string& name);             // what the help calls its value
  Option& show_default();                                 // the help tells what it is when not given
  Option& one_of(const std::vector<std::string>& names);  // anything else is refused
  Option& comma_separated();                              // of texts(): `a,b` is two of them
  Option& one_word_each();  // of texts(): a second word needs the option's name again
  Option& excludes(const Option& other);

  bool given() const;  // once the command line is parsed

 private:
  CLI::Option* option_ = nullptr;
  std::string default_text_;
};

// A command while its options are declared: a handle, valid as long as its CommandLine. Names are
// `-n,--name`,
// `--name`, or `name` of what stands on its own; `--on,!--off` of a flag. A value outlives the parsing, and
// is left alone when its option is absent.
class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}

  // A command that has others needs one of them.
  Command subcommand(const std::string& name, const std::string& summary);
  void footer(const std::string& text);
  void hidden();  // the help does not show the command, nor do the manual and completions

  Option text(const std::string& name, std::string& value, const std::string& help);
  Option texts(const std::string& name, std::vector<std::string>& values, const std::string& help);
  void flag(const std::string& name, bool& value, const std::string& help);

  // Texts that are whole numbers, real numbers, sizes like `10GB` and rates like `3.6GB/s`.
  Option count(const std::string& name, CountRange range, uint32_t& value, const std::string& help);
  Option count(const std::string& name, CountRange range, uint64_t& value, const std::string& help);
  Option count(const std::string& name, CountRange range, std::optional<uint32_t>& value,
               const std::string& help);
  Option count(const std::string& name, CountRange range, std::optional<uint64_t>& value,
               const std::string& help);
  Option real(const std::string& name, RealRange range, double& value, const std::string& help);
  Option size(const std::string& name, Bytes& value, const std::string& help);
  // Slower ones than `least` are refused.
  Option rate(const std::string& name, BytesPerSecond least, BytesPerSecond& value, const std::string& help);

  // A text that `read` takes, or refuses with what is wrong about it.
  Option parsed(const std::string& name, std::string default_text,
                std::function<Result<void>(const std::string&)> read, const std::string& help);

  // A plug-in with its options, as in `uring:depth=8`.
  template <class Port, class Env>
  Option plugin(const std::string& name, Choice<Port, Env>& value, const Family<Port, Env>& family,
                const std::string& help) {
    const auto read = [&value, &family](const std::string& text) -> Result<void> {
      Result<Choice<Port, Env>> chosen = family.choose(text);
      if (!chosen) {
        return propagate(chosen);
      }
      value = std::move(*chosen);
      return {};
    };
    return parsed(name, value.text, read, help);
  }

  // What the invocation runs if this command is the one that is asked for.
  void runs(Invocation& invocation, std::function<Result<void>()> run);

 private:
  friend CommandDescription describe_program(const Command& program);

  CLI::App* app_;
};

// What the help of the whole program knows, once all commands are declared.
CommandDescription describe_program(const Command& program);

// The program and all its commands.
class CommandLine {
 public:
  CommandLine(const std::string& program, const std::string& summary, const std::string& version);
  ~CommandLine();

  Command program();

  // `words` come after the program's name. False: they asked for --help or --version, which was printed to
  // stdout. The error names the command whose help has more to say.
  Result<bool> parse(std::vector<std::string> words);

  // How `command` (as in `trace synth`) takes the option that is called `name`: as `--name`, as `-n`, or as a
  // word without a name before it, which is the empty text.
  Result<std::string> spelling(const std::string& command, const std::string& name) const;

 private:
  std::unique_ptr<CLI::App> app_;
};

}  // namespace spillway
