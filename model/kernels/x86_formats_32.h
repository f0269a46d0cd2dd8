#pragma once

#include "model/kernels/unpack_32.h"
#include "model/kernels/x86_iq_formats.h"

// The formats with blocks of 32 values in 256-bit registers.
namespace spillway {
namespace {

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
struct Format32<BlockQ4_1> : NibblePair {
  SPILLWAY_INLINE explicit Format32(const BlockQ4_1* two) : NibblePair(two[0].q, two[1].q) {}
  SPILLWAY_INLINE __m256i dot(const int8_t* q, const int32_t*) const {
    return dot_twice(_mm256_setzero_si256(), first, two_sixteens(q, q + 32), second,
                     two_sixteens(q + 16, q + 48));
  }
};

// Nibbles with a fifth bit.
struct FivesPair : NibblePair {
  SPILLWAY_INLINE FivesPair(const uint8_t* a, const uint8_t* b, const uint8_t* high_a, const uint8_t* high_b)
      : NibblePair(a, b) {
    const __m256i sixteen = _mm256_set1_epi8(16);
    const __m256i of_a = _mm256_and_si256(bytes_of_bits(load_u32(high_a)), sixteen);
    const __m256i of_b = _mm256_and_si256(bytes_of_bits(load_u32(high_b)), sixteen);
    first = _mm256_or_si256(first, _mm256_permute2x128_si256(of_a, of_b, 0x20));
    second = _mm256_or_si256(second, _mm256_permute2x128_si256(of_a, of_b, 0x31));
  }
  SPILLWAY_INLINE __m256i dot_from(__m256i sum, const int8_t* q) const {
    return dot_twice(sum, first, two_sixteens(q, q + 32), second, two_sixteens(q + 16, q + 48));
  }
};

template <>
struct Format32<BlockQ5_0> : FivesPair {
  SPILLWAY_INLINE explicit Format32(const BlockQ5_0* two)
      : FivesPair(two[0].q, two[1].q, two[0].high, two[1].high) {}
  SPILLWAY_INLINE __m256i dot(const int8_t* q, const int32_t* minus8) const {
    return dot_from(_mm256_slli_epi32(load_bytes(minus8), 1), q);
  }
};

template <>
struct Format32<BlockQ5_1> : FivesPair {
  SPILLWAY_INLINE explicit Format32(const BlockQ5_1* two)
      : FivesPair(two[0].q, two[1].q, two[0].high, two[1].high) {}
  SPILLWAY_INLINE __m256i dot(const int8_t* q, const int32_t*) const {
    return dot_from(_mm256_setzero_si256(), q);
  }
};

// Nibbles that number the values of a table.
struct TablePair : NibblePair {
  SPILLWAY_INLINE TablePair(const uint8_t* a, const uint8_t* b, const int8_t* values) : NibblePair(a, b) {
    const __m256i table = two_sixteens(values, values);
    first = _mm256_shuffle_epi8(table, first);
    second = _mm256_shuffle_epi8(table, second);
  }
};

template <>
struct Format32<BlockIq4Nl> : TablePair {
  SPILLWAY_INLINE explicit Format32(const BlockIq4Nl* two) : TablePair(two[0].q, two[1].q, kIq4Values) {}
  // The values are too large for the sums of four products to fit into 16 bits.
  SPILLWAY_INLINE __m256i dot(const int8_t* q, const int32_t*) const {
    return _mm256_add_epi32(dot_signed(first, two_sixteens(q, q + 32)),
                            dot_signed(second, two_sixteens(q + 16, q + 48)));
  }
};

template <>
struct Format32<BlockMxfp4> : TablePair {
  SPILLWAY_INLINE explicit Format32(const BlockMxfp4* two) : TablePair(two[0].q, two[1].q, kMxfp4Values) {}
  SPILLWAY_INLINE __m256i dot(const int8_t* q, const int32_t*) const {
    const __m256i x = _mm256_sign_epi8(two_sixteens(q, q + 32), first);
    const __m256i y = _mm256_sign_epi8(two_sixteens(q + 16, q + 48), second);
    return dot_twice(_mm256_setzero_si256(), _mm256_abs_epi8(first), x, _mm256_abs_epi8(second), y);
  }
};

// Returns one half of each of eight blocks.
template <class Block>
SPILLWAY_INLINE __m256 block_halves(const Block* b, const uint8_t (Block::*member)[2]) {
  const auto half = [=](int i) __attribute__((always_inline)) {
    return static_cast<short>(load_u16(b[i].*member));
  };
  return _mm256_cvtph_ps(
      _mm_setr_epi16(half(0), half(1), half(2), half(3), half(4), half(5), half(6), half(7)));
}

template <class Block>
SPILLWAY_INLINE __m256 block_scales(const Block* b) {
  return block_halves(b, &Block::d);
}

template <class Block>
SPILLWAY_INLINE __m256 block_minima(const Block* b) {
  return block_halves(b, &Block::m);
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
