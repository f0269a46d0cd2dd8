#pragma once

#include <span>
#include <string>

#include "model/model.h"

namespace spillway {

// A family of models: builds their layers from the shared parts. An architecture is one file and
// one entry in list.cc.
struct Architecture {
  std::string name;  // the value of the key general.architecture
  std::string summary;
  Result<Model> (*build)(ModelBuilder&);
};

std::span<const Architecture> architectures();

// Returns the architecture that the file names. Fails with the list of supported architectures.
Result<const Architecture*> find_architecture(const Gguf& gguf);

}  // namespace spillway
