#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "core/tensor_type.h"

// Quantization: packs numbers into the blocks of a GGUF file, the reverse of dequantize() in
// kernels/kernels.h.
namespace spillway {

// Returns true for F16, Q8_0, Q4_0 and Q2_K to Q6_K.
bool can_quantize(TensorType type);

// The largest value that can be quantized: scales are in half precision, whose largest number this is.
inline constexpr float kLargestQuantized = 65504.0F;

// Returns the index of the first value that cannot be quantized: an infinity, a NaN,
// or one beyond the largest.
std::optional<size_t> first_unfit(std::span<const float> values);

// Packs whole blocks, of values that can all be quantized. The sum of squared errors is the smallest that a
// search of a few dozen scales a block finds. The result has the same bits on every machine. Allocates
// nothing; blocks are independent of each other, so that threads may share them out.
void quantize(TensorType type, std::span<const float> values, std::byte* out);

}  // namespace spillway
