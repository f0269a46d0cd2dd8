#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/result.h"

namespace CLI {
class App;
}  // namespace CLI

// Looks at the words of a command line before CLI11 does: what is misspelt is named with what was probably
// meant, while CLI11 would complain of what is missing without it.
namespace spillway {

std::vector<const CLI::App*> commands_of(const CLI::App& app);
std::string command_names(const CLI::App& app);
std::string path_of(const CLI::App& app);  // as the user types it: `spillway trace synth`

// Turns `help [COMMAND…]` and `version`, which other programs have as commands, into options; and --version
// behind a command, which is asked of the program's second name.
std::vector<std::string> as_options(std::vector<std::string> words);

// Fails if a word of `words` should be a command of `app` and is none, or if a command is missing.
Result<void> check_commands(const CLI::App& app, const std::vector<std::string>& words);

// Fails on the first word that looks like an option of the command in `words` and is none. check_commands()
// found the command.
Result<void> check_options(const CLI::App& program, std::span<const std::string> words);

}  // namespace spillway
