#pragma once

#include "model/kernels/unpack.h"

// The reverse of unpack.h: packs the quantized values of an Unpacked into the fields of its
// block, which are zero before.
namespace spillway {
namespace {

inline void store_half(uint8_t* bytes, float value) {
  const uint16_t half = f32_to_f16(value);
  __builtin_memcpy(bytes, &half, sizeof half);
}

inline void add_bits(uint8_t& byte, int value, int shift) {
  byte = static_cast<uint8_t>(byte | (value << shift));
}

inline void pack_two_bits(const int8_t* q, uint8_t* out) {
  for (int e = 0; e < 256; ++e) {
    add_bits(out[32 * (e / 128) + e % 32], q[e] & 3, 2 * (e % 128 / 32));
  }
}

inline void pack_nibbles(const int8_t* q, uint8_t* out) {
  for (int e = 0; e < 256; ++e) {
    add_bits(out[32 * (e / 64) + e % 32], q[e] & 15, 4 * (e / 32 % 2));
  }
}

// Packs one bit of each value: bit number `shift`.
inline void pack_high_bit(const int8_t* q, int shift, uint8_t* out) {
  for (int e = 0; e < 256; ++e) {
    add_bits(out[e % 32], (q[e] >> shift) & 1, e / 32);
  }
}

inline void pack(const Unpacked& from, BlockQ2K& block) {
  for (int s = 0; s < 16; ++s) {
    block.scales[s] = static_cast<uint8_t>(from.scale[s] | (from.min[s] << 4));
  }
  pack_two_bits(from.q, block.q);
  store_half(block.d, from.d);
  store_half(block.dmin, from.dmin);
}

inline void pack(const Unpacked& from, BlockQ3K& block) {
  for (int s = 0; s < 16; ++s) {
    const int scale = from.scale[s] + 32;
    add_bits(block.scales[s % 8], scale & 15, s < 8 ? 0 : 4);
    add_bits(block.scales[8 + s % 4], scale >> 4, 2 * (s / 4));
  }
  pack_two_bits(from.q, block.q);
  pack_high_bit(from.q, 2, block.high);
  store_half(block.d, from.d);
}

inline void pack_scales(const Unpacked& from, uint8_t* b) {
  for (int s = 0; s < 8; ++s) {
    const int scale = from.scale[2 * s];
    const int min = from.min[2 * s];
    if (s < 4) {
      add_bits(b[s], scale, 0);
      add_bits(b[s + 4], min, 0);
    } else {
      add_bits(b[s + 4], scale & 15, 0);
      add_bits(b[s + 4], min & 15, 4);
      add_bits(b[s - 4], scale >> 4, 6);
      add_bits(b[s], min >> 4, 6);
    }
  }
}

inline void pack(const Unpacked& from, BlockQ4K& block) {
  store_half(block.d, from.d);
  store_half(block.dmin, from.dmin);
  pack_scales(from, block.scales);
  pack_nibbles(from.q, block.q);
}

inline void pack(const Unpacked& from, BlockQ5K& block) {
  store_half(block.d, from.d);
  store_half(block.dmin, from.dmin);
  pack_scales(from, block.scales);
  pack_nibbles(from.q, block.q);
  pack_high_bit(from.q, 4, block.high);
}

inline void pack(const Unpacked& from, BlockQ6K& block) {
  for (int s = 0; s < 16; ++s) {
    block.scales[s] = static_cast<int8_t>(from.scale[s]);
  }
  for (int e = 0; e < 256; ++e) {
    const int half = e / 128;
    const int quarter = e % 128 / 32;
    add_bits(block.low[64 * half + 32 * (quarter % 2) + e % 32], from.q[e] & 15, 4 * (quarter / 2));
    add_bits(block.high[32 * half + e % 32], from.q[e] >> 4, 2 * quarter);
  }
  store_half(block.d, from.d);
}

}  // namespace
}  // namespace spillway
