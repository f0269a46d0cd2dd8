#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "model/gguf/gguf.h"

namespace spillway {

// Reads and checks the head of file number `file` of a model. Returns its keys and appends its tensors to
// those of the files before it.
Result<GgufMetadata> read_gguf_head(const std::string& path, uint32_t file, GgufTensorTable& tensors);

// The place of a key with its type and value in the file, for callers that copy all three unchanged.
struct GgufPair {
  std::string key;
  uint64_t begin = 0;
  uint64_t end = 0;
};

// Finds all keys of a file, in the file's order.
Result<std::vector<GgufPair>> find_gguf_pairs(const std::string& path);

}  // namespace spillway
