#pragma once

#include <functional>
#include <string>
#include <vector>

#include "app/cli/cli.h"

namespace spillway {

// An option that may have several values, separated by commas; each is a run of its own.
struct ListedOption {
  std::string name;                                      // without dashes: `cache`
  std::vector<std::string> values;                       // as written; at least one
  std::function<Result<void>(const std::string&)> read;  // gives the run's options one of the values
};

// The listed options of a command, in the order of its help.
using ListedOptions = std::vector<ListedOption>;

// Declares the option `--name`, which `read` accepts. With `listed`, the option may have several values, and
// the first is that of the run's options. A comma separates two values where split_list() with `names` does.
Option add_listed(Command command, ListedOptions* listed, const std::string& name, std::string default_text,
                  std::function<Result<void>(const std::string&)> read, std::vector<std::string> names,
                  const std::string& help);

// Declares an option that takes a plug-in, or with `listed` several of the family.
template <class Port, class Env>
Option add_listed_plugin(Command command, ListedOptions* listed, const std::string& name,
                         Choice<Port, Env>& value, const Family<Port, Env>& family, const std::string& help) {
  const auto read = [&value, &family](const std::string& text) -> Result<void> {
    Result<Choice<Port, Env>> chosen = family.choose(text);
    if (!chosen) {
      return propagate(chosen);
    }
    value = std::move(*chosen);
    return {};
  };
  std::vector<std::string> names;
  for (const auto& member : family) {
    names.push_back(member.name);
  }
  return add_listed(command, listed, name, value.text, read, std::move(names), help);
}

}  // namespace spillway
