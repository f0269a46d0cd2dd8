#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "model/gguf/gguf.h"

namespace spillway {

// Reads and checks the head of one file, number `file` of its model: returns its keys and appends its tensors
// to those of the files before it.
Result<GgufMetadata> read_gguf_head(const std::string& path, uint32_t file, GgufTensorTable& tensors);

// Where a key, its type and its value lie in the file: for whoever copies them as they are.
struct GgufPair {
  std::string key;
  uint64_t begin = 0;
  uint64_t end = 0;
};

// In the order of the file.
Result<std::vector<GgufPair>> find_gguf_pairs(const std::string& path);

}  // namespace spillway
