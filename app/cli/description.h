#pragma once

#include <string>
#include <vector>

namespace spillway {

// Everything that --help shows of an option. An option without spellings is a word that stands alone.
struct OptionDescription {
  std::string name;                    // the last spelling; of a word, its name: `trace`
  std::vector<std::string> spellings;  // `-o`, `--output`
  std::string value;                   // name of its value in the help, as in FILE; empty: a flag
  std::vector<std::string> choices;    // the only valid values; empty: any
  std::string default_text;
  bool required = false;
  bool several = false;   // takes more than one value
  bool in_a_row = false;  // takes them without its name before each
  std::vector<std::string> excludes;
  std::string help;

  bool is_word() const { return spellings.empty(); }
};

// Everything that --help shows of a command, without hidden options and commands.
struct CommandDescription {
  std::string name;
  std::string path;  // as the user types it: `spillway trace synth`
  std::string summary;
  std::string footer;
  std::string version;  // of the program; empty for a command
  std::vector<OptionDescription> options;
  std::vector<CommandDescription> commands;

  // Returns the command named `command` among `commands`, or nullptr.
  const CommandDescription* find(const std::string& command) const;
};

// Returns help text without line breaks and other control characters: the manual and a shell wrap it anew.
std::string one_line(std::string text);

}  // namespace spillway
