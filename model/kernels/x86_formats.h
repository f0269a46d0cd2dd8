#pragma once

#include <immintrin.h>

#include "model/kernels/blocks.h"
#include "model/kernels/half.h"

// The formats with blocks of 256 values in 256-bit registers: 32 values at a time as bytes, and a scale for
// each pair of values.
namespace spillway {
namespace {

#define SPILLWAY_INLINE inline __attribute__((always_inline))

SPILLWAY_INLINE __m256i load_bytes(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

SPILLWAY_INLINE float load_half(const uint8_t* from) {
  return _cvtsh_ss(static_cast<unsigned short>(load_u16(from)));
}

// Shifts bytes and masks them. There is no shift of bytes, so lanes of sixteen bits are shifted.
SPILLWAY_INLINE __m256i bits(__m256i v, int right, int mask) {
  const __m256i shifted = right >= 0 ? _mm256_srli_epi16(v, right) : _mm256_slli_epi16(v, -right);
  return _mm256_and_si256(shifted, _mm256_set1_epi8(static_cast<char>(mask)));
}

// The 32 values of a group as unsigned bytes. The instruction multiplies unsigned with signed bytes, so
// formats with signed values move the signs to the activations.
struct Unsigned {
  __m256i bytes;
  SPILLWAY_INLINE __m256i signs(__m256i activations) const { return activations; }
};

struct Signed {
  __m256i bytes;
  __m256i sign;
  SPILLWAY_INLINE __m256i signs(__m256i activations) const { return _mm256_sign_epi8(activations, sign); }
};

// Eight scales, one for each group of 32 values.
struct ScalePer32 {
  __m256i eight;  // in both halves
  SPILLWAY_INLINE explicit ScalePer32(__m128i scales) : eight(_mm256_broadcastsi128_si256(scales)) {}
  SPILLWAY_INLINE __m256i scales(int g) const {
    return _mm256_shuffle_epi8(eight, _mm256_set1_epi16(static_cast<short>(0x0100 + 0x0202 * g)));
  }
};

// Sixteen scales, two for each group of 32 values.
struct ScalePer16 {
  __m256i first;  // the first eight in both halves
  __m256i last;
  __m256i all;
  SPILLWAY_INLINE explicit ScalePer16(__m256i scales)
      : first(_mm256_permute2x128_si256(scales, scales, 0x00)),
        last(_mm256_permute2x128_si256(scales, scales, 0x11)),
        all(scales) {}
  SPILLWAY_INLINE __m256i scales(int g) const {
    const int at = 2 * (g % 4);
    const __m256i pick = _mm256_set_m128i(_mm_set1_epi16(static_cast<short>(0x0100 + 0x0202 * (at + 1))),
                                          _mm_set1_epi16(static_cast<short>(0x0100 + 0x0202 * at)));
    return _mm256_shuffle_epi8(g < 4 ? first : last, pick);
  }
};

SPILLWAY_INLINE __m256 add_scaled_lanes(__m256 total, __m256i sums, float scale) {
  return _mm256_add_ps(total, _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_set1_ps(scale)));
}

SPILLWAY_INLINE __m256 subtract_scaled_lanes(__m256 total, __m256i sums, float scale) {
  return _mm256_sub_ps(total, _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_set1_ps(scale)));
}

template <class Block>
struct Format256;

// ---- Q4_K and Q5_K: nibbles; a scale and a minimum for every 32 values

struct ScalesAndMins {
  __m128i scales;  // i16
  __m256i mins;    // i32
};

SPILLWAY_INLINE ScalesAndMins six_bit_pairs(const uint8_t* packed) {
  const uint64_t a = load_u32(packed);
  const uint64_t b = load_u32(packed + 4);
  const uint64_t c = load_u32(packed + 8);
  const uint64_t scales = (a & 0x3f3f3f3fU) | (((c & 0x0f0f0f0fU) | ((a >> 2) & 0x30303030U)) << 32);
  const uint64_t mins = (b & 0x3f3f3f3fU) | ((((c >> 4) & 0x0f0f0f0fU) | ((b >> 2) & 0x30303030U)) << 32);
  return {_mm_cvtepu8_epi16(_mm_cvtsi64_si128(static_cast<long long>(scales))),
          _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<long long>(mins)))};
}

template <class Block>
struct NibblesWithMins : ScalePer32 {
  using Values = Unsigned;
  const Block& block;
  __m256i mins;

  SPILLWAY_INLINE explicit NibblesWithMins(const Block& from)
      : NibblesWithMins(from, six_bit_pairs(from.scales)) {}
  SPILLWAY_INLINE NibblesWithMins(const Block& from, const ScalesAndMins& pairs)
      : ScalePer32(pairs.scales), block(from), mins(pairs.mins) {}

  SPILLWAY_INLINE __m256i nibbles(int g) const {
    return bits(load_bytes(block.q + 32 * (g / 2)), 4 * (g % 2), 15);
  }
  SPILLWAY_INLINE __m256 finish(__m256 total, __m256i sum, const ActivationQ8K& a) const {
    total = add_scaled_lanes(total, sum, load_half(block.d) * a.d);
    // A sum of 32 activations fits in the lower half of its lane, and the upper half of a minimum is zero.
    const __m256i least = _mm256_madd_epi16(mins, load_bytes(a.sums32));
    return subtract_scaled_lanes(total, least, load_half(block.dmin) * a.d);
  }
};

template <>
struct Format256<BlockQ4K> : NibblesWithMins<BlockQ4K> {
  using NibblesWithMins::NibblesWithMins;
  SPILLWAY_INLINE Unsigned values(int g) const { return {nibbles(g)}; }
};

template <>
struct Format256<BlockQ5K> : NibblesWithMins<BlockQ5K> {
  __m256i high;
  SPILLWAY_INLINE explicit Format256(const BlockQ5K& from)
      : NibblesWithMins(from), high(load_bytes(from.high)) {}
  SPILLWAY_INLINE Unsigned values(int g) const {
    return {_mm256_or_si256(nibbles(g), bits(high, g - 4, 16))};
  }
};

// ---- Q2_K: two bits a value; a scale and a minimum for every 16 values

template <>
struct Format256<BlockQ2K> : ScalePer16 {
  using Values = Unsigned;
  const BlockQ2K& block;
  __m256i mins;

  SPILLWAY_INLINE explicit Format256(const BlockQ2K& from)
      : Format256(from,
                  _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from.scales)))) {}
  SPILLWAY_INLINE Format256(const BlockQ2K& from, __m256i pairs)
      : ScalePer16(_mm256_and_si256(pairs, _mm256_set1_epi16(15))),
        block(from),
        mins(_mm256_srli_epi16(pairs, 4)) {}

  SPILLWAY_INLINE Unsigned values(int g) const {
    return {bits(load_bytes(block.q + 32 * (g / 4)), 2 * (g % 4), 3)};
  }
  SPILLWAY_INLINE __m256 finish(__m256 total, __m256i sum, const ActivationQ8K& a) const {
    total = add_scaled_lanes(total, sum, load_half(block.d) * a.d);
    const __m256i least = _mm256_madd_epi16(mins, load_bytes(a.sums16));
    return subtract_scaled_lanes(total, least, load_half(block.dmin) * a.d);
  }
};

// ---- Q3_K and Q6_K: a signed scale for every 16 values; the values' offset is subtracted by way of the
// activations' sums

SPILLWAY_INLINE __m256i without_offset(__m256i sum, __m256i scales, const ActivationQ8K& a, int log2_offset) {
  const __m256i offset = _mm256_madd_epi16(scales, load_bytes(a.sums16));
  return _mm256_sub_epi32(sum, _mm256_slli_epi32(offset, log2_offset));
}

template <>
struct Format256<BlockQ3K> : ScalePer16 {
  using Values = Unsigned;
  const BlockQ3K& block;
  __m256i high;

  SPILLWAY_INLINE explicit Format256(const BlockQ3K& from)
      : ScalePer16(six_bit_scales(from.scales)), block(from), high(load_bytes(from.high)) {}

  static SPILLWAY_INLINE __m256i six_bit_scales(const uint8_t* packed) {
    const uint64_t low = load_u32(packed) | (uint64_t(load_u32(packed + 4)) << 32);
    const uint64_t high = load_u32(packed + 8);
    const uint64_t first =
        (low & 0x0f0f0f0f0f0f0f0fU) | ((high << 4) & 0x30303030U) | (((high << 2) & 0x30303030U) << 32);
    const uint64_t last =
        ((low >> 4) & 0x0f0f0f0f0f0f0f0fU) | (high & 0x30303030U) | (((high >> 2) & 0x30303030U) << 32);
    const __m128i bytes = _mm_set_epi64x(static_cast<long long>(last), static_cast<long long>(first));
    return _mm256_sub_epi16(_mm256_cvtepu8_epi16(bytes), _mm256_set1_epi16(32));
  }
  SPILLWAY_INLINE Unsigned values(int g) const {
    const __m256i low = bits(load_bytes(block.q + 32 * (g / 4)), 2 * (g % 4), 3);
    return {_mm256_or_si256(low, bits(high, g - 2, 4))};
  }
  SPILLWAY_INLINE __m256 finish(__m256 total, __m256i sum, const ActivationQ8K& a) const {
    return add_scaled_lanes(total, without_offset(sum, all, a, 2), load_half(block.d) * a.d);
  }
};

template <>
struct Format256<BlockQ6K> : ScalePer16 {
  using Values = Unsigned;
  const BlockQ6K& block;

  SPILLWAY_INLINE explicit Format256(const BlockQ6K& from)
      : ScalePer16(_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from.scales)))),
        block(from) {}

  SPILLWAY_INLINE Unsigned values(int g) const {
    const __m256i low = bits(load_bytes(block.low + 64 * (g / 4) + 32 * (g % 2)), g % 4 < 2 ? 0 : 4, 15);
    const __m256i high = bits(load_bytes(block.high + 32 * (g / 4)), 2 * (g % 4) - 4, 0x30);
    return {_mm256_or_si256(low, high)};
  }
  SPILLWAY_INLINE __m256 finish(__m256 total, __m256i sum, const ActivationQ8K& a) const {
    return add_scaled_lanes(total, without_offset(sum, all, a, 5), load_half(block.d) * a.d);
  }
};

}  // namespace
}  // namespace spillway
