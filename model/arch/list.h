#pragma once

#include <span>
#include <string_view>

#include "model/model.h"

namespace spillway {

// A family of models: how its layers are built from the shared parts. Each has a file of its
// own and a line of list.cc.
struct Architecture {
  std::string_view name;  // the value of the key general.architecture
  Result<Model> (*build)(ModelBuilder&);
};

Architecture qwen3moe_architecture();
Architecture qwen35moe_architecture();
Architecture olmoe_architecture();

std::span<const Architecture> architectures();

// Returns the architecture that the file names. Fails with the list of supported ones.
Result<const Architecture*> find_architecture(const Gguf& gguf);

}  // namespace spillway
