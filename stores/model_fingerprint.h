#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "stores/packed_format.h"

namespace spillway {

struct ModelFile {
  std::string path;
  uint64_t head_bytes = 0;  // before its tensors: the keys and the table
};

// What tells this model from others, without reading all of it: XXH3 over each file's size, its head, and 64
// pieces of 4 KiB spread evenly over the rest, so that a model that was trained on, whose head is the same,
// is another. Where the files are and what they are called is no part of it.
Result<PackedOrigin> model_fingerprint(std::span<const ModelFile> files);

}  // namespace spillway
