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

// The interface to CLI11. Only command.cc and description.cc include CLI11, whose headers take longer to
// compile than a whole command.
namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace spillway {

// The outcome of parsing a command line. Each add_* function in commands/ declares one subcommand
// with its options and the function that it runs. main() calls `run` after parsing and turns its
// error into the exit status.
struct Invocation {
  std::function<Result<void>()> run;
  std::string command_line;  // as typed, for the report
};

// The values that a number may have, both ends included.
struct CountRange {
  uint64_t least = 0;
  uint64_t most = std::numeric_limits<uint64_t>::max();
};
struct RealRange {
  double least = 0;
  double most = 0;
};

// Read numbers strictly. CLI11 reads them as C does: -1 as 18446744073709551615, 010 as 8, nan as a number
// within every range.
Result<uint64_t> parse_count(const std::string& text, CountRange range);
Result<double> parse_real(const std::string& text, RealRange range);

// Handle of a declared option, valid as long as its CommandLine.
class Option {
 public:
  Option() = default;  // refers to no option; only to be assigned to
  Option(CLI::Option* option, std::string default_text)
      : option_(option), default_text_(std::move(default_text)) {}

  Option& required();
  Option& type_name(const std::string& name);             // name of its value in the help
  Option& show_default();                                 // the help shows the default
  Option& one_of(const std::vector<std::string>& names);  // refuses any other value
  Option& comma_separated();                              // for texts(): `a,b` is two values
  Option& one_word_each();                                // for texts(): each value needs the option's name
  Option& excludes(const Option& other);

  bool given() const;  // known once the command line is parsed

 private:
  CLI::Option* option_ = nullptr;
  std::string default_text_;
};

// Returns true if a value of this name in the help may be a path: FILE, TRACE, DEVICE.
bool is_path_name(std::string_view value_name);

// Handle of a command whose options are being declared, valid as long as its CommandLine. Option names are
// `-n,--name` or `--name`; `name` is a word without an option's name before it, and `--on,!--off` is a flag.
// A value must outlive the parsing, and keeps its content if its option is absent.
class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}

  // Adds a command within this one. The user must then name one of the commands within.
  Command subcommand(const std::string& name, const std::string& summary);
  void footer(const std::string& text);
  void hidden();  // shown neither in the help, nor in the manual and completions

  Option text(const std::string& name, std::string& value, const std::string& help);
  Option texts(const std::string& name, std::vector<std::string>& values, const std::string& help);

  // Declares an option that takes the path of a file (or folder) that the command writes. The command line is
  // refused when the path is an input's or another output's, in whatever spelling and through whatever links;
  // an input is every other option whose value is_path_name().
  Option output(const std::string& name, std::string& value, const std::string& help);
  // Declares an option that takes paths, each word as in split_paths().
  Option paths(const std::string& name, std::vector<std::string>& values, const std::string& help);
  void flag(const std::string& name, bool& value, const std::string& help);

  // Declare options that take whole numbers, real numbers, sizes like `10GB` and rates like `3.6GB/s`.
  Option count(const std::string& name, CountRange range, uint32_t& value, const std::string& help);
  Option count(const std::string& name, CountRange range, uint64_t& value, const std::string& help);
  Option count(const std::string& name, CountRange range, std::optional<uint32_t>& value,
               const std::string& help);
  Option count(const std::string& name, CountRange range, std::optional<uint64_t>& value,
               const std::string& help);
  Option real(const std::string& name, RealRange range, double& value, const std::string& help);
  Option size(const std::string& name, Bytes& value, const std::string& help);
  // Refuses rates below `least`.
  Option rate(const std::string& name, BytesPerSecond least, BytesPerSecond& value, const std::string& help);

  // Declares an option whose text `read` accepts, or refuses with the reason.
  Option parsed(const std::string& name, std::string default_text,
                std::function<Result<void>(const std::string&)> read, const std::string& help);

  // Declares an option that takes a plug-in with its options, as in `uring:depth=8`.
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

  // Makes the invocation run `run` if the user asks for this command.
  void runs(Invocation& invocation, std::function<Result<void>()> run);

 private:
  friend CommandDescription describe_program(const Command& program);

  CLI::App* app_;
};

// Describes the whole program as its help does; called once all commands are declared.
CommandDescription describe_program(const Command& program);

// The program and all its commands.
class CommandLine {
 public:
  CommandLine(const std::string& program, const std::string& summary, const std::string& version);
  ~CommandLine();

  Command program();

  // Parses the words after the program's name. Returns false if they ask for --help or --version, which is
  // then printed to stdout. An error names the command whose help explains more.
  Result<bool> parse(std::vector<std::string> words);

  // Returns how `command` (as in `trace synth`) spells its option `name`: `--name`, `-n`, or the empty text
  // for a word without an option's name before it.
  Result<std::string> spelling(const std::string& command, const std::string& name) const;

 private:
  std::unique_ptr<CLI::App> app_;
};

}  // namespace spillway
