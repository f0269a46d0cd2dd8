#pragma once

#include <bit>
#include <cstdint>

// Half precision, bfloat16 and E8M0 in integer arithmetic: the same bits on every machine. The unnamed
// namespace is on purpose. Each instruction set's source needs a copy of its own, or the linker might pick a
// copy with instructions that this processor lacks, and use it for all of them.
namespace spillway {
namespace {

inline uint32_t f32_bits(float value) {
  return __builtin_bit_cast(uint32_t, value);
}
inline float f32_of(uint32_t bits) {
  return __builtin_bit_cast(float, bits);
}

inline uint32_t load_u16(const uint8_t* bytes) {
  uint16_t value;
  __builtin_memcpy(&value, bytes, sizeof value);
  return value;
}

inline uint32_t load_u32(const uint8_t* bytes) {
  uint32_t value;
  __builtin_memcpy(&value, bytes, sizeof value);
  return value;
}

inline float f16_to_f32(uint32_t half) {
  const uint32_t sign = (half & 0x8000U) << 16;
  const uint32_t exponent = (half >> 10) & 31U;
  const uint32_t fraction = half & 0x3ffU;
  if (exponent == 0) {
    return f32_of(sign | f32_bits(static_cast<float>(fraction) * 0x1p-24F));
  }
  if (exponent == 31) {
    const uint32_t quiet = fraction == 0 ? 0 : 0x400000U;
    return f32_of(sign | 0x7f800000U | quiet | (fraction << 13));
  }
  return f32_of(sign | ((exponent + 112) << 23) | (fraction << 13));
}

// Rounds to nearest, ties to even, as the F16C instructions do.
inline uint16_t f32_to_f16(float value) {
  const uint32_t bits = f32_bits(value);
  const uint32_t sign = (bits >> 16) & 0x8000U;
  const uint32_t magnitude = bits & 0x7fffffffU;
  uint32_t half = 0;
  if (magnitude > 0x7f800000U) {
    half = 0x7e00U | ((magnitude >> 13) & 0x3ffU);
  } else if (magnitude >= 0x477ff000U) {  // 65520 and above round to infinity
    half = 0x7c00U;
  } else if (magnitude < 0x38800000U) {
    // Subnormal: the last bit of one half, 0.5F, is 2^-24, the unit of a subnormal
    // half, so the addition rounds.
    half = f32_bits(f32_of(magnitude) + 0.5F) - f32_bits(0.5F);
  } else {
    half = (magnitude - (112U << 23) + 0xfffU + ((magnitude >> 13) & 1U)) >> 13;
  }
  return static_cast<uint16_t>(sign | half);
}

inline float bf16_to_f32(uint32_t value) {
  return f32_of(value << 16);
}

inline uint16_t f32_to_bf16(float value) {
  const uint32_t bits = f32_bits(value);
  if ((bits & 0x7fffffffU) > 0x7f800000U) {
    return static_cast<uint16_t>((bits >> 16) | 0x40U);
  }
  return static_cast<uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

// Returns half the value of an E8M0 number, 2^(e-128): the values of MXFP4 are stored doubled.
inline float e8m0_half_to_f32(uint32_t e) {
  return f32_of(e < 2 ? 0x00200000U << e : (e - 1) << 23);
}

}  // namespace
}  // namespace spillway
