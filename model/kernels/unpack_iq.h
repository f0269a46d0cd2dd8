#pragma once

#include "model/kernels/unpack.h"

// The formats with grids of values, and those of three values. See unpack.h.
namespace spillway {
namespace {

template <>
struct Traits<BlockTq2_0> {
  static constexpr int kOffset = 1;
  static constexpr bool kHasMin = false;
};

inline void unpack_grid(uint64_t magnitudes, uint64_t signs, int8_t* q) {
  for (int lane = 0; lane < 8; ++lane) {
    const int magnitude = static_cast<int>((magnitudes >> (8 * lane)) & 0xffU);
    const bool negative = ((signs >> (8 * lane)) & 0x80U) != 0;
    q[lane] = static_cast<int8_t>(negative ? -magnitude : magnitude);
  }
}

// The scale of the IQ2 types is d * (0.5 + c) / 4, kept as d / 8 and the odd number 2c + 1.
inline void unpack(const BlockIq2Xxs& block, Unpacked& out) {
  out.d = f16_to_f32(load_u16(block.d)) * 0.125F;
  for (int g = 0; g < 8; ++g) {
    const uint32_t codes = load_u32(block.groups[g] + 4);
    out.scale[2 * g] = out.scale[2 * g + 1] = static_cast<int16_t>(2 * (codes >> 28) + 1);
    for (int i = 0; i < 4; ++i) {
      unpack_grid(kIq2XxsGrid.of[block.groups[g][i]], kIqSigns.of[(codes >> (7 * i)) & 127U],
                  out.q + 32 * g + 8 * i);
    }
  }
}

inline void unpack(const BlockIq2Xs& block, Unpacked& out) {
  out.d = f16_to_f32(load_u16(block.d)) * 0.125F;
  for (int g = 0; g < 8; ++g) {
    out.scale[2 * g] = static_cast<int16_t>(2 * (block.scales[g] & 15) + 1);
    out.scale[2 * g + 1] = static_cast<int16_t>(2 * (block.scales[g] >> 4) + 1);
    for (int i = 0; i < 4; ++i) {
      const uint32_t code = load_u16(block.groups[g] + 2 * i);
      unpack_grid(kIq2XsGrid.of[code & 511U], kIqSigns.of[code >> 9], out.q + 32 * g + 8 * i);
    }
  }
}

inline void unpack(const BlockIq2S& block, Unpacked& out) {
  out.d = f16_to_f32(load_u16(block.d)) * 0.125F;
  for (int i = 0; i < 32; ++i) {
    const uint32_t high = (static_cast<uint32_t>(block.high[i / 4]) >> (2 * (i % 4))) & 3U;
    uint64_t signs = 0;
    for (int lane = 0; lane < 8; ++lane) {
      signs |= uint64_t{((block.signs[i] >> lane) & 1) != 0 ? 0xffU : 1U} << (8 * lane);
    }
    unpack_grid(kIq2SGrid.of[block.grid[i] | high << 8], signs, out.q + 8 * i);
  }
  for (int s = 0; s < 16; ++s) {
    out.scale[s] = static_cast<int16_t>(2 * ((block.scales[s / 2] >> (4 * (s % 2))) & 15) + 1);
  }
}

// Four lanes of magnitudes with their signs, a bit each.
inline void unpack_four(uint32_t magnitudes, int minus, int8_t* q) {
  for (int lane = 0; lane < 4; ++lane) {
    const int magnitude = static_cast<int>((magnitudes >> (8 * lane)) & 0xffU);
    q[lane] = static_cast<int8_t>(((minus >> lane) & 1) != 0 ? -magnitude : magnitude);
  }
}

// The scale is d * (0.5 + c) / 2, kept as d / 4 and the odd number 2c + 1.
inline void unpack(const BlockIq3Xxs& block, Unpacked& out) {
  out.d = f16_to_f32(load_u16(block.d)) * 0.25F;
  for (int g = 0; g < 8; ++g) {
    const uint32_t codes = load_u32(block.codes[g]);
    out.scale[2 * g] = out.scale[2 * g + 1] = static_cast<int16_t>(2 * (codes >> 28) + 1);
    for (int i = 0; i < 8; ++i) {
      const uint64_t signs = kIqSigns.of[(codes >> (7 * (i / 2))) & 127U];
      int minus = 0;
      for (int lane = 0; lane < 4; ++lane) {
        minus |= static_cast<int>((signs >> (8 * (4 * (i % 2) + lane) + 7)) & 1U) << lane;
      }
      unpack_four(kIq3XxsGrid.of[block.grid[g][i]], minus, out.q + 32 * g + 4 * i);
    }
  }
}

inline void unpack(const BlockIq3S& block, Unpacked& out) {
  out.d = f16_to_f32(load_u16(block.d));
  for (int g = 0; g < 8; ++g) {
    const int scale = 2 * ((block.scales[g / 2] >> (4 * (g % 2))) & 15) + 1;
    out.scale[2 * g] = out.scale[2 * g + 1] = static_cast<int16_t>(scale);
    for (int i = 0; i < 8; ++i) {
      const uint32_t high = (static_cast<uint32_t>(block.high[g]) >> i) & 1U;
      unpack_four(kIq3SGrid.of[block.grid[g][i] | high << 8], block.signs[4 * g + i / 2] >> (4 * (i % 2)),
                  out.q + 32 * g + 4 * i);
    }
  }
}

inline void unpack(const BlockIq4Xs& block, Unpacked& out) {
  out.d = f16_to_f32(load_u16(block.d));
  const uint32_t high = load_u16(block.scales_high);
  for (int g = 0; g < 8; ++g) {
    const int low = (block.scales_low[g / 2] >> (4 * (g % 2))) & 15;
    const int scale = (low | static_cast<int>((high >> (2 * g)) & 3U) << 4) - 32;
    out.scale[2 * g] = out.scale[2 * g + 1] = static_cast<int16_t>(scale);
    for (int i = 0; i < 16; ++i) {
      out.q[32 * g + i] = kIq4Values[block.q[g][i] & 15];
      out.q[32 * g + 16 + i] = kIq4Values[block.q[g][i] >> 4];
    }
  }
}

// Eight values of an IQ1 type, kept as eight times the value: -9, -7, -1, 1, 7 or 9.
inline void unpack_shifted(uint64_t grid, bool minus, int8_t* q) {
  for (int lane = 0; lane < 8; ++lane) {
    const auto value = static_cast<int8_t>(static_cast<uint8_t>(grid >> (8 * lane)));
    q[lane] = static_cast<int8_t>(minus ? value - 1 : value + 1);
  }
}

inline void unpack(const BlockIq1S& block, Unpacked& out) {
  out.d = f16_to_f32(load_u16(block.d)) * 0.125F;
  for (int g = 0; g < 8; ++g) {
    const uint32_t high = load_u16(block.high[g]);
    out.scale[2 * g] = out.scale[2 * g + 1] = static_cast<int16_t>(2 * ((high >> 12) & 7U) + 1);
    for (int i = 0; i < 4; ++i) {
      const uint32_t index = block.grid[4 * g + i] | ((high >> (3 * i)) & 7U) << 8;
      unpack_shifted(kIq1Grid.of[index], (high & 0x8000U) != 0, out.q + 32 * g + 8 * i);
    }
  }
}

// The block's scale, four bits of it in the upper bits of each of four words.
inline float scale_of(const BlockIq1M& block) {
  uint32_t half = 0;
  for (int i = 0; i < 4; ++i) {
    half |= (load_u16(block.scales[i]) >> 12) << (4 * i);
  }
  return f16_to_f32(half);
}

inline void unpack(const BlockIq1M& block, Unpacked& out) {
  out.d = scale_of(block) * 0.125F;
  for (int s = 0; s < 16; ++s) {
    const uint32_t scale = (load_u16(block.scales[s / 4]) >> (3 * (s % 4))) & 7U;
    out.scale[s] = static_cast<int16_t>(2 * scale + 1);
    for (int i = 2 * s; i < 2 * s + 2; ++i) {
      const uint32_t high = (static_cast<uint32_t>(block.high[i / 2]) >> (4 * (i % 2))) & 15U;
      unpack_shifted(kIq1Grid.of[block.grid[i] | (high & 7U) << 8], (high & 8U) != 0, out.q + 8 * i);
    }
  }
}

inline void unpack(const BlockTq2_0& block, Unpacked& out) {
  out.d = f16_to_f32(load_u16(block.d));
  for (int s = 0; s < 16; ++s) {
    out.scale[s] = 1;
  }
  for (int e = 0; e < 256; ++e) {
    out.q[e] = static_cast<int8_t>(two_bits(block.q, e));
  }
}

// Writes digit after digit of `count` bytes of five digits each.
inline void unpack_digits(const uint8_t* bytes, int count, int digits, int8_t* q) {
  uint32_t power = 1;
  for (int n = 0; n < digits; ++n) {
    for (int i = 0; i < count; ++i) {
      const uint32_t fraction = (bytes[i] * power) & 0xffU;
      q[n * count + i] = static_cast<int8_t>(static_cast<int>((fraction * 3) >> 8) - 1);
    }
    power *= 3;
  }
}

inline void unpack(const BlockTq1_0& block, Unpacked& out) {
  out.d = f16_to_f32(load_u16(block.d));
  for (int s = 0; s < 16; ++s) {
    out.scale[s] = 1;
  }
  unpack_digits(block.q, 32, 5, out.q);
  unpack_digits(block.q + 32, 16, 5, out.q + 160);
  unpack_digits(block.high, 4, 4, out.q + 240);
}

}  // namespace
}  // namespace spillway
