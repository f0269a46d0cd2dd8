#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/options.h"
#include "core/result.h"

namespace spillway {

template <class Port>
struct Made {
  std::unique_ptr<Port> port;
  std::string resolved;  // the spec with every option spelled out
};

// One member of a family of implementations of `Port`. A family is the list its list.cc returns: adding a
// member is one file that makes one of these and one entry there. `Env` is what every member of the family
// may need to be made.
template <class Port, class Env>
struct Plugin {
  std::string name;
  std::string summary;
  std::vector<OptionInfo> options;
  std::function<Result<Made<Port>>(const Spec&, const Env&)> make;
};

// Builds the list entry from the options struct and a function that makes the port from options that are
// parsed.
template <class Port, class Env, class O>
Plugin<Port, Env> plugin(std::string name, std::string summary,
                         Result<std::unique_ptr<Port>> (*make)(const O& options, const Env& env)) {
  return {name, std::move(summary), describe_options<O>(),
          [make](const Spec& spec, const Env& env) -> Result<Made<Port>> {
            Result<O> options = parse_options<O>(spec);
            if (!options) {
              return propagate(options);
            }
            Result<std::unique_ptr<Port>> port = make(*options, env);
            if (!port) {
              return propagate(port);
            }
            return Made<Port>{std::move(*port), resolved_spec(spec.name, *options)};
          }};
}

// Makes what `text` (NAME or NAME:key=value,…) asks for. `family` names the list in the error: "backend".
template <class Port, class Env>
Result<Made<Port>> make_plugin(std::span<const Plugin<Port, Env>> list, const char* family,
                               std::string_view text, const Env& env) {
  Result<Spec> spec = parse_spec(text);
  if (!spec) {
    return propagate(spec);
  }
  std::string known;
  for (const Plugin<Port, Env>& entry : list) {
    if (entry.name == spec->name) {
      return entry.make(*spec, env);
    }
    known += known.empty() ? entry.name : ", " + entry.name;
  }
  return wrong_usage("there is no {} '{}'; there are: {}", family, spec->name, known);
}

}  // namespace spillway
