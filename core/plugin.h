#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/expects.h"
#include "core/nearest.h"
#include "core/options.h"
#include "core/result.h"
#include "core/traits.h"

// A plug-in is chosen once, on the command line, and passed on as a value:
//
//   `uring:depth=8` → Family::choose() → Choice → make(env), as often as needed → the port
//
// Nothing behind the command line reads the text again.
namespace spillway {

// A plug-in with the options it was given.
template <class Port, class Env>
struct Choice {
  std::string text;      // as the user wrote it
  std::string resolved;  // with every option spelled out
  Traits traits;
  std::function<Result<std::unique_ptr<Port>>(const Env&)> make;

  // Equal choices make equal ports, however they were written.
  friend bool operator==(const Choice& a, const Choice& b) { return a.resolved == b.resolved; }
};

// One implementation of `Port` in its family. The implementation's file defines it and list.cc lists it.
template <class Port, class Env>
struct Plugin {
  std::string name;
  std::string summary;
  std::vector<OptionInfo> options;
  std::function<Result<Choice<Port, Env>>(const Spec&)> choose;  // checks the options; makes nothing
};

// Builds the list entry from `make`, which makes the port from parsed options, and `traits`, which returns
// the traits that such options give.
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

// Builds the list entry of a plug-in whose traits do not depend on its options; most plug-ins
// have no traits at all.
template <class Port, class Env, class O>
Plugin<Port, Env> plugin(std::string name, std::string summary,
                         Result<std::unique_ptr<Port>> (*make)(const O& options, const Env& env),
                         Traits traits = {}) {
  return plugin(std::move(name), std::move(summary), make, [traits](const O&) { return traits; });
}

// All implementations of `Port`. Adding one takes a file that makes a Plugin, and an entry in the list.cc
// that makes the family. `Env` holds everything that the members may need when they are made.
template <class Port, class Env>
class Family {
 public:
  // `noun` is the word for a member in errors: "backend".
  Family(std::string noun, std::vector<Plugin<Port, Env>> members)
      : noun_(std::move(noun)), members_(std::move(members)) {}

  auto begin() const { return members_.begin(); }
  auto end() const { return members_.end(); }

  // Parses NAME or NAME:key=value,… and makes nothing yet. The error lists the available names or options.
  Result<Choice<Port, Env>> choose(std::string_view text) const {
    Result<Spec> spec = parse_spec(text);
    if (!spec) {
      return propagate(spec);
    }
    std::vector<std::string> known;
    for (const Plugin<Port, Env>& member : members_) {
      if (member.name == spec->name) {
        Result<Choice<Port, Env>> chosen = member.choose(*spec);
        if (chosen) {
          chosen->text = text;
        }
        return chosen;
      }
      known.push_back(member.name);
    }
    return wrong_usage("there is no {} '{}'{}", noun_, spec->name, meant_or_all(spec->name, known));
  }

  // Chooses by a text that the program itself wrote, such as a default. An invalid text is a bug and aborts.
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
