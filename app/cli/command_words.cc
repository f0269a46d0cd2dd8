#include "app/cli/command_words.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "core/nearest.h"

namespace spillway {
namespace {

// What a command has in the place of an option of another: people take a simulation's device for a backend.
struct Counterpart {
  std::string_view asked;
  std::string_view meant;
  std::string_view why;
};
constexpr std::array kCounterparts = {
    Counterpart{"--backend", "--device", "its reads go to a modelled drive"},
    Counterpart{"--device", "--backend", "its reads go to the real drive below its store"},
    Counterpart{"--drive", "--device", "it names the drive"},
    Counterpart{"--size", "--cache", "it is the size of the cache"},
    Counterpart{"--policy", "--evict", "it names the eviction policy"},
    Counterpart{"--eviction", "--evict", "it names the eviction policy"},
    Counterpart{"--output", "--json", "it names the file to write"},
};

// Says which option was probably meant by one that `command` does not have.
Unexpected unknown_option(const CLI::App& program, const CLI::App& command, const std::string& name) {
  for (const auto& [asked, meant, why] : kCounterparts) {
    if (asked == name && command.get_option_no_throw(std::string(meant)) != nullptr) {
      return wrong_usage("{} has no option {}; {} has {}: {}", path_of(command), name, path_of(command),
                         meant, why);
    }
  }
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& spelled : option->get_lnames()) {
      names.push_back("--" + spelled);
    }
  }
  if (const std::optional<std::string> near = nearest_name(name, names)) {
    return wrong_usage("{} has no option {}; did you mean {}?", path_of(command), name, *near);
  }
  std::string others;
  for (const CLI::App* other : commands_of(program)) {
    if (other->get_option_no_throw(name) != nullptr) {
      others += (others.empty() ? "" : ", ") + other->get_name();
    }
  }
  return wrong_usage("{} has no option {}{}; see {} --help", path_of(command), name,
                     others.empty() ? "" : fmt::format(", which is an option of {}", others),
                     path_of(command));
}

}  // namespace

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::string command_names(const CLI::App& app) {
  std::string names;
  for (const CLI::App* command : commands_of(app)) {
    if (!command->get_group().empty()) {  // a command without a group is hidden
      names += names.empty() ? command->get_name() : ", " + command->get_name();
    }
  }
  return names;
}

std::string path_of(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : path_of(*app.get_parent()) + " " + app.get_name();
}

std::vector<std::string> as_options(std::vector<std::string> words) {
  if (!words.empty() && words.front() == "help") {
    words.erase(words.begin());
    words.push_back("--help");
  } else if ((!words.empty() && words.front() == "version") ||
             (words.size() == 2 && (words.back() == "--version" || words.back() == "-V"))) {
    words = {"--version"};
  }
  return words;
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
      std::vector<std::string> known;
      for (const CLI::App* command : commands) {
        if (!command->get_group().empty()) {
          known.push_back(command->get_name());
        }
      }
      return wrong_usage("there is no command '{} {}'{}", path_of(*at), word, meant_or_all(word, known));
    }
    at = *next;
  }
  return {};
}

Result<void> check_options(const CLI::App& program, std::span<const std::string> words) {
  const CLI::App* at = &program;
  size_t first = 0;
  while (at->get_require_subcommand_min() > 0 && first < words.size() && !words[first].starts_with('-')) {
    const std::vector<const CLI::App*> commands = commands_of(*at);
    const auto named = [&](const CLI::App* command) { return command->get_name() == words[first]; };
    at = *std::find_if(commands.begin(), commands.end(), named);
    ++first;
  }
  const CLI::App& command = *at;
  words = words.subspan(first);
  for (size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
    const std::string& word = words[i];
    const bool is_number = word.size() > 1 && ((word[1] >= '0' && word[1] <= '9') || word[1] == '.');
    if (word.size() < 2 || word[0] != '-' || is_number) {
      continue;
    }
    const bool is_long = word[1] == '-';
    const std::string name = is_long ? word.substr(0, word.find('=')) : word.substr(0, 2);
    const CLI::Option* option = command.get_option_no_throw(name);
    if (option == nullptr) {
      return unknown_option(program, command, name);
    }
    const bool has_value = is_long ? word.find('=') != std::string::npos : word.size() > 2;
    i += option->get_items_expected_max() > 0 && !has_value ? 1 : 0;
  }
  return {};
}

}  // namespace spillway
