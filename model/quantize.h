#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "model/tensor_type.h"

// From numbers to the packed blocks of a GGUF: the other way round than dequantize() in kernels/kernels.h.
namespace spillway {

// F16, Q8_0, Q4_0 and Q2_K to Q6_K.
bool can_quantize(TensorType type);

// Scales are in half precision, whose largest number this is; beyond it nothing can be promised.
inline constexpr float kLargestQuantized = 65504.0F;

// The first value that cannot be quantized: an infinity, no number at all, or one beyond the largest.
std::optional<size_t> first_unfit(std::span<const float> values);

// Packs whole blocks, all of whose values fit, so that the sum of squared errors is as small as a search of a
// few dozen scales a block finds. The same bits on every machine. Takes no memory; blocks are independent of
// each other, so threads may share them out.
void quantize(TensorType type, std::span<const float> values, std::byte* out);

}  // namespace spillway
