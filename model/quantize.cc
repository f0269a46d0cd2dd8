#include "model/quantize.h"

#include "core/expects.h"
#include "model/kernels/encode.h"

namespace spillway {

bool can_quantize(TensorType type) {
  return encoder(type) != nullptr;
}

std::optional<size_t> first_unfit(std::span<const float> values) {
  for (size_t i = 0; i < values.size(); ++i) {
    // This form of the condition is true for NaN as well.
    if (!(values[i] <= kLargestQuantized && values[i] >= -kLargestQuantized)) {
      return i;
    }
  }
  return std::nullopt;
}

void quantize(TensorType type, std::span<const float> values, std::byte* out) {
  const TensorTypeInfo& info = tensor_type_info(type);
  const Encoder encode = encoder(type);
  Expects(encode != nullptr && values.size() % info.block_elements == 0);
  for (size_t at = 0; at < values.size(); at += info.block_elements) {
    encode(values.data() + at, out);
    out += info.block_bytes;
  }
}

}  // namespace spillway
