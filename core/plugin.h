#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/expects.h"
#include "core/options.h"
#include "core/result.h"
#include "core/traits.h"

// A plug-in is chosen once, at the command line, and handed on as a value:
//
//   `uring:depth=8` → Family::choose() → Choice → make(env), as often as one is needed → the port
//
// Nothing behind the command line reads the text again.
namespace spillway {

// A plug-in with the options it was given.
template <class Port, class Env>
struct Choice {
  std::string text;      // as it was written
  std::string resolved;  // with every option spelled out
  Traits traits;
  std::function<Result<std::unique_ptr<Port>>(const Env&)> make;

  // Equal choices make equal ports, however they were written.
  friend bool operator==(const Choice& a, const Choice& b) { return a.resolved == b.resolved; }
};

// One member of a family of implementations of `Port`, as its file offers it and list.cc lists it.
template <class Port, class Env>
struct Plugin {
  std::string name;
  std::string summary;
  std::vector<OptionInfo> options;
  std::function<Result<Choice<Port, Env>>(const Spec&)> choose;  // checks the options; makes nothing
};

// Builds the list entry from a function that makes the port from parsed options, and from one that tells the
// traits of such options.
template <class Port, class Env, class O>
Plugin<Port, Env> plugin(std::string name, std::string summary,
                         Result<std::unique_ptr<Port>> (*make)(const O& options, const Env& env),
                         std::type_identity_t<std::function<Traits(const O& options)>> traits) {
  const auto choose = [make, traits](const Spec& spec) -> Result<Choice<Port, Env>> {
    Result<O> options = parse_options<O>(spec);
    if (!options) {
      return propagate(options);
    }
    return Choice<Port, Env>{.text = {},
                             .resolved = resolved_spec(spec.name, *options),
                             .traits = traits(*options),
                             .make = [make, chosen = *options](const Env& env) { return make(chosen, env); }};
  };
  return {std::move(name), std::move(summary), describe_options<O>(), choose};
}

// Builds it for a plug-in whose traits are the same whatever its options are: most have none.
template <class Port, class Env, class O>
Plugin<Port, Env> plugin(std::string name, std::string summary,
                         Result<std::unique_ptr<Port>> (*make)(const O& options, const Env& env),
                         Traits traits = {}) {
  return plugin(std::move(name), std::move(summary), make, [traits](const O&) { return traits; });
}

// All implementations of `Port`. Adding one takes a file that makes a Plugin, and an entry in the list.cc
// that makes the family. `Env` is what the members may need to be made.
template <class Port, class Env>
class Family {
 public:
  // `noun` names a member in errors: "backend".
  Family(std::string noun, std::vector<Plugin<Port, Env>> members)
      : noun_(std::move(noun)), members_(std::move(members)) {}

  auto begin() const { return members_.begin(); }
  auto end() const { return members_.end(); }

  // Reads NAME or NAME:key=value,… and makes nothing yet. The error tells which names or options there are.
  Result<Choice<Port, Env>> choose(std::string_view text) const {
    Result<Spec> spec = parse_spec(text);
    if (!spec) {
      return propagate(spec);
    }
    std::string known;
    for (const Plugin<Port, Env>& member : members_) {
      if (member.name == spec->name) {
        Result<Choice<Port, Env>> chosen = member.choose(*spec);
        if (chosen) {
          chosen->text = text;
        }
        return chosen;
      }
      known += known.empty() ? member.name : ", " + member.name;
    }
    return wrong_usage("there is no {} '{}'; there are: {}", noun_, spec->name, known);
  }

  // Chooses by a text that the program itself has written, such as a default: the text cannot be wrong.
  Choice<Port, Env> known(std::string_view text) const {
    Result<Choice<Port, Env>> chosen = choose(text);
    Ensures(chosen.has_value());
    return std::move(*chosen);
  }

 private:
  std::string noun_;
  std::vector<Plugin<Port, Env>> members_;
};

}  // namespace spillway
