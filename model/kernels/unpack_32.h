#pragma once

#include "model/kernels/blocks.h"
#include "model/kernels/half.h"

// The formats that are multiplied 32 values at a time, value by value. See unpack.h.
namespace spillway {
namespace {

// A block of 32 values: value i is d * q[i], or d * q[i] + m where kHasMin32.
struct Unpacked32 {
  int8_t q[32];
  float d;
  float m;
};

template <class Block>
constexpr bool kHasMin32 = false;
template <>
inline constexpr bool kHasMin32<BlockQ4_1> = true;
template <>
inline constexpr bool kHasMin32<BlockQ5_1> = true;

inline void unpack(const BlockQ8_0& block, Unpacked32& out) {
  out.d = f16_to_f32(load_u16(block.d));
  __builtin_memcpy(out.q, block.q, sizeof out.q);
}

inline void unpack(const BlockQ4_0& block, Unpacked32& out) {
  out.d = f16_to_f32(load_u16(block.d));
  for (int i = 0; i < 16; ++i) {
    out.q[i] = static_cast<int8_t>((block.q[i] & 15) - 8);
    out.q[i + 16] = static_cast<int8_t>((block.q[i] >> 4) - 8);
  }
}

inline void unpack(const BlockMxfp4& block, Unpacked32& out) {
  out.d = e8m0_half_to_f32(block.e);
  for (int i = 0; i < 16; ++i) {
    out.q[i] = kMxfp4Values[block.q[i] & 15];
    out.q[i + 16] = kMxfp4Values[block.q[i] >> 4];
  }
}

inline void unpack_nibbles(const uint8_t* packed, int8_t* q) {
  for (int i = 0; i < 16; ++i) {
    q[i] = static_cast<int8_t>(packed[i] & 15);
    q[i + 16] = static_cast<int8_t>(packed[i] >> 4);
  }
}

inline void unpack(const BlockQ4_1& block, Unpacked32& out) {
  out.d = f16_to_f32(load_u16(block.d));
  out.m = f16_to_f32(load_u16(block.m));
  unpack_nibbles(block.q, out.q);
}

inline void unpack_fives(const uint8_t* packed, const uint8_t* high, int8_t* q) {
  unpack_nibbles(packed, q);
  const uint32_t fifth = load_u32(high);
  for (int i = 0; i < 32; ++i) {
    q[i] = static_cast<int8_t>(q[i] | static_cast<int>((fifth >> i) & 1U) << 4);
  }
}

inline void unpack(const BlockQ5_0& block, Unpacked32& out) {
  out.d = f16_to_f32(load_u16(block.d));
  unpack_fives(block.q, block.high, out.q);
  for (int8_t& q : out.q) {
    q = static_cast<int8_t>(q - 16);
  }
}

inline void unpack(const BlockQ5_1& block, Unpacked32& out) {
  out.d = f16_to_f32(load_u16(block.d));
  out.m = f16_to_f32(load_u16(block.m));
  unpack_fives(block.q, block.high, out.q);
}

inline void unpack(const BlockIq4Nl& block, Unpacked32& out) {
  out.d = f16_to_f32(load_u16(block.d));
  for (int i = 0; i < 16; ++i) {
    out.q[i] = kIq4Values[block.q[i] & 15];
    out.q[i + 16] = kIq4Values[block.q[i] >> 4];
  }
}

// A part of 32 values of a larger block: value i is d[i / 16] * q[i].
struct UnpackedPart {
  int8_t q[32];
  float d[2];
};

// Values in such a block.
template <class Block>
constexpr size_t kBlockValues = 0;
template <>
inline constexpr size_t kBlockValues<BlockNvfp4> = 64;
template <>
inline constexpr size_t kBlockValues<BlockQ1_0> = 128;
template <>
inline constexpr size_t kBlockValues<BlockQ2_0> = 64;

// Half of the value of a byte of E4M3 without a sign: the values of NVFP4 are kept doubled.
inline float e4m3_half_to_f32(uint32_t byte) {
  const uint32_t exponent = (byte >> 3) & 15U;
  const uint32_t fraction = byte & 7U;
  if (byte == 0x7f) {
    return 0;
  }
  if (exponent == 0) {
    return static_cast<float>(fraction) * 0x1p-10F;
  }
  return f32_of(((exponent + 119) << 23) | (fraction << 20));
}

inline void unpack_part(const BlockNvfp4& block, size_t part, UnpackedPart& out) {
  for (size_t s = 0; s < 2; ++s) {
    const size_t sixteenth = 2 * part + s;
    out.d[s] = e4m3_half_to_f32(block.scales[sixteenth]);
    for (size_t i = 0; i < 8; ++i) {
      out.q[16 * s + i] = kMxfp4Values[block.q[sixteenth][i] & 15];
      out.q[16 * s + 8 + i] = kMxfp4Values[block.q[sixteenth][i] >> 4];
    }
  }
}

inline void unpack_part(const BlockQ1_0& block, size_t part, UnpackedPart& out) {
  out.d[0] = out.d[1] = f16_to_f32(load_u16(block.d));
  for (size_t i = 0; i < 32; ++i) {
    out.q[i] = ((block.signs[4 * part + i / 8] >> (i % 8)) & 1) != 0 ? 1 : -1;
  }
}

inline void unpack_part(const BlockQ2_0& block, size_t part, UnpackedPart& out) {
  out.d[0] = out.d[1] = f16_to_f32(load_u16(block.d));
  for (size_t i = 0; i < 32; ++i) {
    out.q[i] = static_cast<int8_t>(((block.q[8 * part + i / 4] >> (2 * (i % 4))) & 3) - 1);
  }
}

}  // namespace
}  // namespace spillway
