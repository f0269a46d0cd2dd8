#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "app/cli/description.h"

namespace spillway {

// A word that fits at the cursor, and its meaning.
struct Candidate {
  std::string word;
  std::string summary;
};

// Everything that fits at the cursor: words, and perhaps names of files or folders, which the shell knows.
struct Completion {
  enum class Paths { none, folders, files };

  std::vector<Candidate> words;
  Paths paths = Paths::none;
};

// A plug-in or a preset that an option can name.
struct NamedMember {
  std::string name;
  std::string summary;
  std::vector<Candidate> options;  // options after a colon
};

// Returns the members of a family, named as in `spillway list`: `backends`.
using FamilyMembers = std::function<std::vector<NamedMember>(const std::string& family)>;

// Completes the last of `words`, which are those after the program's name, as the user typed them.
Completion complete(const CommandDescription& program, const std::vector<std::string>& words,
                    const FamilyMembers& members_of);

// Returns the script that makes `shell` (bash, zsh or fish) ask the program itself for completions.
std::string_view completion_script(std::string_view shell);

}  // namespace spillway
