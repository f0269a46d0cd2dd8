#pragma once

#include <span>
#include <string_view>

#include "model/model.h"

namespace spillway {

// One family of models: how its layers are put together from the shared blocks. Each in a file of its own and
// a line of list.cc.
struct Architecture {
  std::string_view name;  // as general.architecture says it
  Result<Model> (*build)(ModelBuilder&);
};

Architecture qwen3moe_architecture();
Architecture qwen35moe_architecture();
Architecture olmoe_architecture();

std::span<const Architecture> architectures();

// The one that a file names; fails with the list of those there are.
Result<const Architecture*> find_architecture(const Gguf& gguf);

}  // namespace spillway
