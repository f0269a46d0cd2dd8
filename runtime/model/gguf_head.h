#pragma once

#include <cstdint>
#include <string>

#include "core/result.h"
#include "runtime/model/gguf.h"

namespace spillway {

// Reads and checks the head of one file, number `file` of its model: returns its keys and appends its tensors
// to those of the files before it.
Result<GgufMetadata> read_gguf_head(const std::string& path, uint32_t file, GgufTensorTable& tensors);

}  // namespace spillway
