#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "stores/packed_format.h"

namespace spillway {

struct ModelFile {
  std::string path;
  uint64_t head_bytes = 0;  // size of the keys and the table, in front of the tensors
};

// Computes a hash that tells this model from others without reading all of it: XXH3 over each file's size,
// its head, and 64 pieces of 4 KiB spread evenly over the rest. So a model that was trained further, whose
// head is the same, gets another fingerprint. Directories and names of the files do not enter.
Result<PackedOrigin> model_fingerprint(std::span<const ModelFile> files);

}  // namespace spillway
