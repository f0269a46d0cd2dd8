#pragma once

#include <immintrin.h>

#include "model/kernels/blocks.h"
#include "model/kernels/half.h"

// The block formats in 256-bit registers: 32 values at a time as bytes, and a scale for each pair of values.
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

// ---- IQ2_XXS and IQ2_XS: magnitudes and signs from tables

SPILLWAY_INLINE __m256i four_entries(uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  return _mm256_set_epi64x(static_cast<long long>(d), static_cast<long long>(c), static_cast<long long>(b),
                           static_cast<long long>(a));
}

template <>
struct Format256<BlockIq2Xxs> {
  using Values = Signed;
  const BlockIq2Xxs& block;

  SPILLWAY_INLINE explicit Format256(const BlockIq2Xxs& from) : block(from) {}

  SPILLWAY_INLINE __m256i scales(int g) const {
    return _mm256_set1_epi16(static_cast<short>(2 * (block.groups[g][7] >> 4) + 1));
  }
  SPILLWAY_INLINE Signed values(int g) const {
    const uint8_t* at = block.groups[g];
    const uint32_t codes = load_u32(at + 4);
    return {four_entries(kIq2XxsGrid[at[0]], kIq2XxsGrid[at[1]], kIq2XxsGrid[at[2]], kIq2XxsGrid[at[3]]),
            four_entries(kIq2Signs[codes & 127U], kIq2Signs[(codes >> 7) & 127U],
                         kIq2Signs[(codes >> 14) & 127U], kIq2Signs[(codes >> 21) & 127U])};
  }
  SPILLWAY_INLINE __m256 finish(__m256 total, __m256i sum, const ActivationQ8K& a) const {
    return add_scaled_lanes(total, sum, load_half(block.d) * 0.125F * a.d);
  }
};

template <>
struct Format256<BlockIq2Xs> : ScalePer16 {
  using Values = Signed;
  const BlockIq2Xs& block;

  SPILLWAY_INLINE explicit Format256(const BlockIq2Xs& from)
      : ScalePer16(odd_scales(from.scales)), block(from) {}

  static SPILLWAY_INLINE __m256i odd_scales(const uint8_t* packed) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(packed));
    const __m128i both = _mm_unpacklo_epi8(bytes, _mm_srli_epi16(bytes, 4));
    const __m256i nibbles = _mm256_cvtepu8_epi16(_mm_and_si128(both, _mm_set1_epi8(15)));
    return _mm256_add_epi16(_mm256_slli_epi16(nibbles, 1), _mm256_set1_epi16(1));
  }
  SPILLWAY_INLINE Signed values(int g) const {
    const uint8_t* at = block.groups[g];
    const uint32_t a = load_u16(at);
    const uint32_t b = load_u16(at + 2);
    const uint32_t c = load_u16(at + 4);
    const uint32_t d = load_u16(at + 6);
    return {
        four_entries(kIq2XsGrid[a & 511U], kIq2XsGrid[b & 511U], kIq2XsGrid[c & 511U], kIq2XsGrid[d & 511U]),
        four_entries(kIq2Signs[a >> 9], kIq2Signs[b >> 9], kIq2Signs[c >> 9], kIq2Signs[d >> 9])};
  }
  SPILLWAY_INLINE __m256 finish(__m256 total, __m256i sum, const ActivationQ8K& a) const {
    return add_scaled_lanes(total, sum, load_half(block.d) * 0.125F * a.d);
  }
};

// ---- blocks of 32, whose scales are fetched eight at a time

// Adds the products of unsigned and signed bytes to `sum`, four neighbours in a lane.
SPILLWAY_INLINE __m256i dot_bytes(__m256i sum, __m256i bytes, __m256i signed_bytes) {
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
  return _mm256_dpbusd_epi32(sum, bytes, signed_bytes);
#else
  const __m256i pairs = _mm256_maddubs_epi16(bytes, signed_bytes);
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#endif
}

SPILLWAY_INLINE __m256i dot_signed(__m256i values, __m256i activations) {
  return dot_bytes(_mm256_setzero_si256(), _mm256_abs_epi8(values), _mm256_sign_epi8(activations, values));
}

SPILLWAY_INLINE __m256i two_sixteens(const void* low, const void* high) {
  return _mm256_set_m128i(_mm_loadu_si128(static_cast<const __m128i*>(high)),
                          _mm_loadu_si128(static_cast<const __m128i*>(low)));
}

template <class Block>
struct Format32;

template <>
struct Format32<BlockQ8_0> {
  __m256i values;
  SPILLWAY_INLINE explicit Format32(const BlockQ8_0* one) : values(load_bytes(one->q)) {}
  SPILLWAY_INLINE __m256i dot(const int8_t* q, const int32_t*) const {
    return dot_signed(values, load_bytes(q));
  }
};

// Two blocks of nibbles: the values of both first halves, and those of both second halves. Working on pairs
// of blocks takes one floating-point addition for two blocks, and one addition of pairs.
struct NibblePair {
  __m256i first;
  __m256i second;
  SPILLWAY_INLINE NibblePair(const uint8_t* a, const uint8_t* b) {
    const __m256i packed = two_sixteens(a, b);
    first = bits(packed, 0, 15);
    second = bits(packed, 4, 15);
  }
};

// Adds the products of two registers of bytes to `sum`; the sums of their pairs fit into 16 bits.
SPILLWAY_INLINE __m256i dot_twice(__m256i sum, __m256i bytes, __m256i with, __m256i more_bytes,
                                  __m256i more_with) {
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
  return _mm256_dpbusd_epi32(_mm256_dpbusd_epi32(sum, bytes, with), more_bytes, more_with);
#else
  const __m256i pairs =
      _mm256_add_epi16(_mm256_maddubs_epi16(bytes, with), _mm256_maddubs_epi16(more_bytes, more_with));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#endif
}

template <>
struct Format32<BlockQ4_0> : NibblePair {
  SPILLWAY_INLINE explicit Format32(const BlockQ4_0* two) : NibblePair(two[0].q, two[1].q) {}
  SPILLWAY_INLINE __m256i dot(const int8_t* q, const int32_t* minus8) const {
    return dot_twice(load_bytes(minus8), first, two_sixteens(q, q + 32), second,
                     two_sixteens(q + 16, q + 48));
  }
};

template <>
struct Format32<BlockMxfp4> : NibblePair {
  SPILLWAY_INLINE explicit Format32(const BlockMxfp4* two) : NibblePair(two[0].q, two[1].q) {
    const __m256i table = two_sixteens(kMxfp4Values, kMxfp4Values);
    first = _mm256_shuffle_epi8(table, first);
    second = _mm256_shuffle_epi8(table, second);
  }
  SPILLWAY_INLINE __m256i dot(const int8_t* q, const int32_t*) const {
    const __m256i x = _mm256_sign_epi8(two_sixteens(q, q + 32), first);
    const __m256i y = _mm256_sign_epi8(two_sixteens(q + 16, q + 48), second);
    return dot_twice(_mm256_setzero_si256(), _mm256_abs_epi8(first), x, _mm256_abs_epi8(second), y);
  }
};

template <class Block>
SPILLWAY_INLINE __m256 block_scales(const Block* b) {
  const auto half = [b](int i) __attribute__((always_inline)) {
    return static_cast<short>(load_u16(b[i].d));
  };
  return _mm256_cvtph_ps(
      _mm_setr_epi16(half(0), half(1), half(2), half(3), half(4), half(5), half(6), half(7)));
}

template <>
SPILLWAY_INLINE __m256 block_scales<BlockMxfp4>(const BlockMxfp4* b) {
  const auto e = [b](int i) __attribute__((always_inline)) {
    return uint64_t(b[i].e) << (8 * i);
  };
  const uint64_t bytes = ((e(0) | e(1)) | (e(2) | e(3))) | ((e(4) | e(5)) | (e(6) | e(7)));
  const __m256i exponent = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<long long>(bytes)));
  const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(exponent, _mm256_set1_epi32(1)), 23);
  const __m256i subnormal = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), exponent);
  const __m256i small = _mm256_cmpgt_epi32(_mm256_set1_epi32(2), exponent);
  return _mm256_castsi256_ps(_mm256_blendv_epi8(normal, subnormal, small));
}

}  // namespace
}  // namespace spillway
