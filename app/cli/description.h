#pragma once

#include <string>
#include <vector>

namespace spillway {

// What --help knows of an option. One without spellings is a word that stands on its own.
struct OptionDescription {
  std::string name;                    // of a word, `trace`; otherwise the last spelling
  std::vector<std::string> spellings;  // `-o`, `--output`
  std::string value;                   // what the help calls its value, as in FILE; empty: a flag
  std::vector<std::string> choices;    // the only values there are; empty: not listed
  std::string default_text;
  bool required = false;
  bool several = false;   // takes more values than one
  bool in_a_row = false;  // without its name in front of each
  std::vector<std::string> excludes;
  std::string help;

  bool is_word() const { return spellings.empty(); }
};

// What --help knows of a command, without what is hidden from it.
struct CommandDescription {
  std::string name;
  std::string path;  // as it is typed: `spillway trace synth`
  std::string summary;
  std::string footer;
  std::string version;  // of the program; a command has none of its own
  std::vector<OptionDescription> options;
  std::vector<CommandDescription> commands;

  // The command of that name among `commands`, or nullptr.
  const CommandDescription* find(const std::string& command) const;
};

// Help text without its line breaks and other control characters: the manual and a shell wrap it themselves.
std::string one_line(std::string text);

}  // namespace spillway
