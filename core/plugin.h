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
  std::function<Result<std::string>(const Spec&)> resolve;  // checks the options; makes nothing
  std::function<Result<std::unique_ptr<Port>>(const Spec&, const Env&)> make;
};

// Builds the list entry from the options struct and a function that makes the port from options that are
// parsed.
template <class Port, class Env, class O>
Plugin<Port, Env> plugin(std::string name, std::string summary,
                         Result<std::unique_ptr<Port>> (*make)(const O& options, const Env& env)) {
  const auto resolve = [](const Spec& spec) -> Result<std::string> {
    Result<O> options = parse_options<O>(spec);
    if (!options) {
      return propagate(options);
    }
    return resolved_spec(spec.name, *options);
  };
  const auto make_it = [make](const Spec& spec, const Env& env) -> Result<std::unique_ptr<Port>> {
    Result<O> options = parse_options<O>(spec);
    if (!options) {
      return propagate(options);
    }
    return make(*options, env);
  };
  return {std::move(name), std::move(summary), describe_options<O>(), resolve, make_it};
}

// The member that `spec` names. `family` names the list in the error: "backend".
template <class Port, class Env>
Result<const Plugin<Port, Env>*> find_plugin(std::span<const Plugin<Port, Env>> list, const char* family,
                                             const Spec& spec) {
  std::string known;
  for (const Plugin<Port, Env>& entry : list) {
    if (entry.name == spec.name) {
      return &entry;
    }
    known += known.empty() ? entry.name : ", " + entry.name;
  }
  return wrong_usage("there is no {} '{}'; there are: {}", family, spec.name, known);
}

// Checks `text` (NAME or NAME:key=value,…) without making anything: the spec with every option spelled out.
template <class Port, class Env>
Result<std::string> resolve_plugin(std::span<const Plugin<Port, Env>> list, const char* family,
                                   std::string_view text) {
  Result<Spec> spec = parse_spec(text);
  if (!spec) {
    return propagate(spec);
  }
  Result<const Plugin<Port, Env>*> entry = find_plugin(list, family, *spec);
  if (!entry) {
    return propagate(entry);
  }
  return (*entry)->resolve(*spec);
}

// Makes what `text` asks for.
template <class Port, class Env>
Result<Made<Port>> make_plugin(std::span<const Plugin<Port, Env>> list, const char* family,
                               std::string_view text, const Env& env) {
  Result<std::string> resolved = resolve_plugin(list, family, text);
  if (!resolved) {
    return propagate(resolved);
  }
  const Result<Spec> spec = parse_spec(text);
  Result<std::unique_ptr<Port>> port = (*find_plugin(list, family, *spec))->make(*spec, env);
  if (!port) {
    return propagate(port);
  }
  return Made<Port>{std::move(*port), std::move(*resolved)};
}

}  // namespace spillway
