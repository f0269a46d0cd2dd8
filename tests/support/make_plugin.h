#pragma once

#include <memory>
#include <string_view>

#include "core/plugin.h"

namespace spillway {

// Chooses and makes at once.
template <class Port, class Env>
Result<std::unique_ptr<Port>> make_plugin(const Family<Port, Env>& family, std::string_view text,
                                          const Env& env) {
  Result<Choice<Port, Env>> chosen = family.choose(text);
  if (!chosen) {
    return propagate(chosen);
  }
  return chosen->make(env);
}

}  // namespace spillway
