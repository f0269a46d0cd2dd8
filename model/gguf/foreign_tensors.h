#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/gguf/gguf.h"

namespace spillway {

// Returns what a tensor belongs to if that is not the text model: "vision tower", "draft head". Such tensors
// lie in one file with a model for convenience; decoding needs none of them. Returns the empty text for a
// tensor of the text model.
std::string_view foreign_owner(std::string_view tensor_name);

// Returns true for a tensor of a block that predicts further tokens, or of something foreign. `layers`: the
// number of blocks that decoding runs.
bool is_left_out(const GgufTensor& tensor, uint32_t layers);

// Says in one sentence what of the file decoding leaves out, with the number of tensors and their bytes;
// empty if nothing.
std::string describe_left_out(const Gguf& gguf, uint32_t layers);

}  // namespace spillway
