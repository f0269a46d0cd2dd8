#pragma once

#include "model/kernels/blocks.h"
#include "model/kernels/half.h"

// Every block format, value by value. Dequantization and the portable multiplication share this code, and the
// vector kernels are tested against it.
namespace spillway {
namespace {

// A block of 256 values: value i is d * scale[i / 16] * (q[i] - offset) - dmin * min[i / 16].
struct Unpacked {
  int8_t q[256];
  int16_t scale[16];
  int16_t min[16];
  float d;
  float dmin;
};

template <class Block>
struct Traits {
  static constexpr int kOffset = 0;
  static constexpr bool kHasMin = false;
};
template <>
struct Traits<BlockQ2K> {
  static constexpr int kOffset = 0;
  static constexpr bool kHasMin = true;
};
template <>
struct Traits<BlockQ4K> : Traits<BlockQ2K> {};
template <>
struct Traits<BlockQ5K> : Traits<BlockQ2K> {};
template <>
struct Traits<BlockQ3K> {
  static constexpr int kOffset = 4;
  static constexpr bool kHasMin = false;
};
template <>
struct Traits<BlockQ6K> {
  static constexpr int kOffset = 32;
  static constexpr bool kHasMin = false;
};

// Returns a value of two bits: value e lies in byte e % 32 of its half of 128 values,
// shifted by 2 * (e % 128 / 32).
inline int two_bits(const uint8_t* q, int e) {
  return (q[32 * (e / 128) + e % 32] >> (2 * (e % 128 / 32))) & 3;
}

inline void unpack(const BlockQ2K& block, Unpacked& out) {
  out.d = f16_to_f32(load_u16(block.d));
  out.dmin = f16_to_f32(load_u16(block.dmin));
  for (int s = 0; s < 16; ++s) {
    out.scale[s] = static_cast<int16_t>(block.scales[s] & 15);
    out.min[s] = static_cast<int16_t>(block.scales[s] >> 4);
  }
  for (int e = 0; e < 256; ++e) {
    out.q[e] = static_cast<int8_t>(two_bits(block.q, e));
  }
}

inline void unpack(const BlockQ3K& block, Unpacked& out) {
  out.d = f16_to_f32(load_u16(block.d));
  for (int s = 0; s < 16; ++s) {
    const int low = s < 8 ? block.scales[s] & 15 : block.scales[s - 8] >> 4;
    const int high = (block.scales[8 + s % 4] >> (2 * (s / 4))) & 3;
    out.scale[s] = static_cast<int16_t>((low | (high << 4)) - 32);
  }
  for (int e = 0; e < 256; ++e) {
    const int high = (block.high[e % 32] >> (e / 32)) & 1;
    out.q[e] = static_cast<int8_t>(two_bits(block.q, e) | (high << 2));
  }
}

// Unpacks the eight 6-bit scales and minima that Q4_K and Q5_K keep in twelve bytes: one of
// each for every 32 values.
inline void unpack_scales(const uint8_t* b, Unpacked& out) {
  for (int s = 0; s < 8; ++s) {
    const int scale = s < 4 ? b[s] & 63 : (b[s + 4] & 15) | ((b[s - 4] >> 6) << 4);
    const int min = s < 4 ? b[s + 4] & 63 : (b[s + 4] >> 4) | ((b[s] >> 6) << 4);
    out.scale[2 * s] = out.scale[2 * s + 1] = static_cast<int16_t>(scale);
    out.min[2 * s] = out.min[2 * s + 1] = static_cast<int16_t>(min);
  }
}

inline int nibble(const uint8_t* q, int e) {
  return (q[32 * (e / 64) + e % 32] >> (4 * (e / 32 % 2))) & 15;
}

inline void unpack(const BlockQ4K& block, Unpacked& out) {
  out.d = f16_to_f32(load_u16(block.d));
  out.dmin = f16_to_f32(load_u16(block.dmin));
  unpack_scales(block.scales, out);
  for (int e = 0; e < 256; ++e) {
    out.q[e] = static_cast<int8_t>(nibble(block.q, e));
  }
}

inline void unpack(const BlockQ5K& block, Unpacked& out) {
  out.d = f16_to_f32(load_u16(block.d));
  out.dmin = f16_to_f32(load_u16(block.dmin));
  unpack_scales(block.scales, out);
  for (int e = 0; e < 256; ++e) {
    const int high = (block.high[e % 32] >> (e / 32)) & 1;
    out.q[e] = static_cast<int8_t>(nibble(block.q, e) | (high << 4));
  }
}

inline void unpack(const BlockQ6K& block, Unpacked& out) {
  out.d = f16_to_f32(load_u16(block.d));
  for (int s = 0; s < 16; ++s) {
    out.scale[s] = block.scales[s];
  }
  for (int e = 0; e < 256; ++e) {
    const int half = e / 128;
    const int quarter = e % 128 / 32;
    const int low = block.low[64 * half + 32 * (quarter % 2) + e % 32] >> (4 * (quarter / 2));
    const int high = block.high[32 * half + e % 32] >> (2 * quarter);
    out.q[e] = static_cast<int8_t>((low & 15) | ((high & 3) << 4));
  }
}

}  // namespace
}  // namespace spillway
