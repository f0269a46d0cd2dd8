#include "model/kernels/encode.h"

#include "model/kernels/fit.h"
#include "model/kernels/pack.h"

namespace spillway {
namespace {

constexpr Levels kEightBits = {-127, 127};
constexpr Levels kFourBits = {-8, 7};

int level(float value, float scale, Levels levels) {
  const float q = value * reciprocal(scale);
  const float within = q < levels.least ? levels.least : q > levels.most ? levels.most : q;
  return static_cast<int>((within + kRounder) - kRounder);
}

void encode_f16(const float* values, std::byte* block) {
  store_half(reinterpret_cast<uint8_t*>(block), values[0]);
}

void encode_q8_0(const float* values, std::byte* bytes) {
  BlockQ8_0 block = {};
  const float scale = fit_half_scale<32>(values, kEightBits);
  store_half(block.d, scale);
  for (int i = 0; i < 32; ++i) {
    block.q[i] = static_cast<int8_t>(level(values[i], scale, kEightBits));
  }
  __builtin_memcpy(bytes, &block, sizeof block);
}

void encode_q4_0(const float* values, std::byte* bytes) {
  BlockQ4_0 block = {};
  const float scale = fit_half_scale<32>(values, kFourBits);
  store_half(block.d, scale);
  for (int i = 0; i < 32; ++i) {
    add_bits(block.q[i % 16], level(values[i], scale, kFourBits) + 8, i < 16 ? 0 : 4);
  }
  __builtin_memcpy(bytes, &block, sizeof block);
}

}  // namespace

Encoder encoder(TensorType type) {
  switch (type) {
    case TensorType::f16:
      return encode_f16;
    case TensorType::q8_0:
      return encode_q8_0;
    case TensorType::q4_0:
      return encode_q4_0;
    case TensorType::q2_k:
      return encode_q2_k;
    case TensorType::q3_k:
      return encode_q3_k;
    case TensorType::q4_k:
      return encode_q4_k;
    case TensorType::q5_k:
      return encode_q5_k;
    case TensorType::q6_k:
      return encode_q6_k;
    default:
      return nullptr;
  }
}

}  // namespace spillway
