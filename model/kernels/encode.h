#pragma once

#include <cstddef>

#include "core/tensor_type.h"

namespace spillway {

// Packs the values of one block.
using Encoder = void (*)(const float* values, std::byte* block);

// Returns nullptr for a type that cannot be written.
Encoder encoder(TensorType type);

void encode_q2_k(const float* values, std::byte* block);
void encode_q3_k(const float* values, std::byte* block);
void encode_q4_k(const float* values, std::byte* block);
void encode_q5_k(const float* values, std::byte* block);
void encode_q6_k(const float* values, std::byte* block);

}  // namespace spillway
