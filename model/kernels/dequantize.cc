#include "core/expects.h"
#include "model/kernels/kernels.h"
#include "model/kernels/unpack.h"
#include "model/kernels/unpack_32.h"
#include "model/kernels/unpack_iq.h"

namespace spillway {
namespace {

template <class Block>
void dequantize_256(const std::byte* row, std::span<float> out) {
  const Block* blocks = reinterpret_cast<const Block*>(row);
  Unpacked block;
  for (size_t b = 0; b < out.size() / 256; ++b) {
    unpack(blocks[b], block);
    float* values = out.data() + 256 * b;
    for (size_t i = 0; i < 256; ++i) {
      const float scale = block.d * static_cast<float>(block.scale[i / 16]);
      values[i] = scale * static_cast<float>(block.q[i] - Traits<Block>::kOffset);
      if constexpr (Traits<Block>::kHasMin) {
        values[i] -= block.dmin * static_cast<float>(block.min[i / 16]);
      }
    }
  }
}

template <class Block>
void dequantize_32(const std::byte* row, std::span<float> out) {
  const Block* blocks = reinterpret_cast<const Block*>(row);
  Unpacked32 block;
  for (size_t b = 0; b < out.size() / 32; ++b) {
    unpack(blocks[b], block);
    for (size_t i = 0; i < 32; ++i) {
      float& value = out[32 * b + i];
      value = block.d * static_cast<float>(block.q[i]);
      if constexpr (kHasMin32<Block>) {
        value += block.m;
      }
    }
  }
}

template <class Block>
void dequantize_parts(const std::byte* row, std::span<float> out) {
  constexpr size_t kParts = kBlockValues<Block> / 32;
  const Block* blocks = reinterpret_cast<const Block*>(row);
  UnpackedPart part;
  for (size_t p = 0; p < out.size() / 32; ++p) {
    unpack_part(blocks[p / kParts], p % kParts, part);
    for (size_t i = 0; i < 32; ++i) {
      out[32 * p + i] = part.d[i / 16] * static_cast<float>(part.q[i]);
    }
  }
}

template <float (*Convert)(uint32_t)>
void dequantize_16_bits(const std::byte* row, std::span<float> out) {
  const uint8_t* values = reinterpret_cast<const uint8_t*>(row);
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = Convert(load_u16(values + 2 * i));
  }
}

}  // namespace

void dequantize(TensorType type, const std::byte* row, std::span<float> out) {
  Expects(can_multiply(type) && out.size() % tensor_type_info(type).block_elements == 0);
  switch (type) {
    case TensorType::f32:
      __builtin_memcpy(out.data(), row, out.size_bytes());
      return;
    case TensorType::f16:
      return dequantize_16_bits<f16_to_f32>(row, out);
    case TensorType::bf16:
      return dequantize_16_bits<bf16_to_f32>(row, out);
    case TensorType::q8_0:
      return dequantize_32<BlockQ8_0>(row, out);
    case TensorType::q4_0:
      return dequantize_32<BlockQ4_0>(row, out);
    case TensorType::q4_1:
      return dequantize_32<BlockQ4_1>(row, out);
    case TensorType::q5_0:
      return dequantize_32<BlockQ5_0>(row, out);
    case TensorType::q5_1:
      return dequantize_32<BlockQ5_1>(row, out);
    case TensorType::iq4_nl:
      return dequantize_32<BlockIq4Nl>(row, out);
    case TensorType::nvfp4:
      return dequantize_parts<BlockNvfp4>(row, out);
    case TensorType::q1_0:
      return dequantize_parts<BlockQ1_0>(row, out);
    case TensorType::q2_0:
      return dequantize_parts<BlockQ2_0>(row, out);
    case TensorType::mxfp4:
      return dequantize_32<BlockMxfp4>(row, out);
    case TensorType::q2_k:
      return dequantize_256<BlockQ2K>(row, out);
    case TensorType::q3_k:
      return dequantize_256<BlockQ3K>(row, out);
    case TensorType::q4_k:
      return dequantize_256<BlockQ4K>(row, out);
    case TensorType::q5_k:
      return dequantize_256<BlockQ5K>(row, out);
    case TensorType::q6_k:
      return dequantize_256<BlockQ6K>(row, out);
    case TensorType::iq2_xxs:
      return dequantize_256<BlockIq2Xxs>(row, out);
    case TensorType::iq2_xs:
      return dequantize_256<BlockIq2Xs>(row, out);
    case TensorType::iq2_s:
      return dequantize_256<BlockIq2S>(row, out);
    case TensorType::iq3_xxs:
      return dequantize_256<BlockIq3Xxs>(row, out);
    case TensorType::iq3_s:
      return dequantize_256<BlockIq3S>(row, out);
    case TensorType::iq4_xs:
      return dequantize_256<BlockIq4Xs>(row, out);
    case TensorType::iq1_s:
      return dequantize_256<BlockIq1S>(row, out);
    case TensorType::iq1_m:
      return dequantize_256<BlockIq1M>(row, out);
    case TensorType::tq1_0:
      return dequantize_256<BlockTq1_0>(row, out);
    case TensorType::tq2_0:
      return dequantize_256<BlockTq2_0>(row, out);
    default:
      Expects(false);
  }
}

}  // namespace spillway
