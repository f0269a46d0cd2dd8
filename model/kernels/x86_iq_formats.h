#pragma once

#include "model/kernels/unpack_iq.h"
#include "model/kernels/x86_formats.h"

// The formats with grids of values, and those of three values, as in x86_formats.h.
namespace spillway {
namespace {

// ---- IQ2: eight magnitudes an entry

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
    return {four_entries(kIq2XxsGrid.of[at[0]], kIq2XxsGrid.of[at[1]], kIq2XxsGrid.of[at[2]],
                         kIq2XxsGrid.of[at[3]]),
            four_entries(kIqSigns.of[codes & 127U], kIqSigns.of[(codes >> 7) & 127U],
                         kIqSigns.of[(codes >> 14) & 127U], kIqSigns.of[(codes >> 21) & 127U])};
  }
  SPILLWAY_INLINE __m256 finish(__m256 total, __m256i sum, const ActivationQ8K& a) const {
    return add_scaled_lanes(total, sum, load_half(block.d) * 0.125F * a.d);
  }
};

// Sixteen odd scales from sixteen nibbles.
SPILLWAY_INLINE __m256i odd_scales(const uint8_t* packed) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(packed));
  const __m128i both = _mm_unpacklo_epi8(bytes, _mm_srli_epi16(bytes, 4));
  const __m256i nibbles = _mm256_cvtepu8_epi16(_mm_and_si128(both, _mm_set1_epi8(15)));
  return _mm256_add_epi16(_mm256_slli_epi16(nibbles, 1), _mm256_set1_epi16(1));
}

template <>
struct Format256<BlockIq2Xs> : ScalePer16 {
  using Values = Signed;
  const BlockIq2Xs& block;

  SPILLWAY_INLINE explicit Format256(const BlockIq2Xs& from)
      : ScalePer16(odd_scales(from.scales)), block(from) {}

  SPILLWAY_INLINE Signed values(int g) const {
    const uint8_t* at = block.groups[g];
    const uint32_t a = load_u16(at);
    const uint32_t b = load_u16(at + 2);
    const uint32_t c = load_u16(at + 4);
    const uint32_t d = load_u16(at + 6);
    return {four_entries(kIq2XsGrid.of[a & 511U], kIq2XsGrid.of[b & 511U], kIq2XsGrid.of[c & 511U],
                         kIq2XsGrid.of[d & 511U]),
            four_entries(kIqSigns.of[a >> 9], kIqSigns.of[b >> 9], kIqSigns.of[c >> 9], kIqSigns.of[d >> 9])};
  }
  SPILLWAY_INLINE __m256 finish(__m256 total, __m256i sum, const ActivationQ8K& a) const {
    return add_scaled_lanes(total, sum, load_half(block.d) * 0.125F * a.d);
  }
};

// A byte of 0xff for each bit that is set, else 0; bit 0 first.
SPILLWAY_INLINE __m256i bytes_of_bits(uint32_t word) {
  const __m256i four = _mm256_set1_epi32(static_cast<int>(word));
  const __m256i spread = _mm256_shuffle_epi8(
      four, _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303));
  const __m256i bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201));
  return _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
}

// Makes factors of such bytes: -1 for a bit that is set, else 1.
SPILLWAY_INLINE __m256i signs_of_bits(uint32_t word) {
  return _mm256_or_si256(bytes_of_bits(word), _mm256_set1_epi8(1));
}

template <>
struct Format256<BlockIq2S> : ScalePer16 {
  using Values = Signed;
  const BlockIq2S& block;

  SPILLWAY_INLINE explicit Format256(const BlockIq2S& from)
      : ScalePer16(odd_scales(from.scales)), block(from) {}

  SPILLWAY_INLINE Signed values(int g) const {
    const uint8_t* low = block.grid + 4 * g;
    const uint32_t high = block.high[g];
    return {four_entries(kIq2SGrid.of[low[0] | (high & 3U) << 8], kIq2SGrid.of[low[1] | (high & 12U) << 6],
                         kIq2SGrid.of[low[2] | (high & 48U) << 4], kIq2SGrid.of[low[3] | (high & 192U) << 2]),
            signs_of_bits(load_u32(block.signs + 4 * g))};
  }
  SPILLWAY_INLINE __m256 finish(__m256 total, __m256i sum, const ActivationQ8K& a) const {
    return add_scaled_lanes(total, sum, load_half(block.d) * 0.125F * a.d);
  }
};

// ---- IQ3: four magnitudes an entry

SPILLWAY_INLINE __m256i eight_entries(const uint32_t* grid, const uint8_t* low, const uint32_t* high) {
  const auto entry = [=](int i) __attribute__((always_inline)) {
    return static_cast<int>(grid[low[i] | high[i]]);
  };
  return _mm256_setr_epi32(entry(0), entry(1), entry(2), entry(3), entry(4), entry(5), entry(6), entry(7));
}

template <>
struct Format256<BlockIq3Xxs> {
  using Values = Signed;
  const BlockIq3Xxs& block;

  SPILLWAY_INLINE explicit Format256(const BlockIq3Xxs& from) : block(from) {}

  SPILLWAY_INLINE __m256i scales(int g) const {
    return _mm256_set1_epi16(static_cast<short>(2 * (block.codes[g][3] >> 4) + 1));
  }
  SPILLWAY_INLINE Signed values(int g) const {
    constexpr uint32_t kNone[8] = {};
    const uint32_t codes = load_u32(block.codes[g]);
    return {eight_entries(kIq3XxsGrid.of, block.grid[g], kNone),
            four_entries(kIqSigns.of[codes & 127U], kIqSigns.of[(codes >> 7) & 127U],
                         kIqSigns.of[(codes >> 14) & 127U], kIqSigns.of[(codes >> 21) & 127U])};
  }
  SPILLWAY_INLINE __m256 finish(__m256 total, __m256i sum, const ActivationQ8K& a) const {
    return add_scaled_lanes(total, sum, load_half(block.d) * 0.25F * a.d);
  }
};

template <>
struct Format256<BlockIq3S> {
  using Values = Signed;
  const BlockIq3S& block;

  SPILLWAY_INLINE explicit Format256(const BlockIq3S& from) : block(from) {}

  SPILLWAY_INLINE __m256i scales(int g) const {
    return _mm256_set1_epi16(static_cast<short>(2 * ((block.scales[g / 2] >> (4 * (g % 2))) & 15) + 1));
  }
  SPILLWAY_INLINE Signed values(int g) const {
    const uint32_t bits = block.high[g];
    const uint32_t high[8] = {(bits & 1U) << 8,  (bits & 2U) << 7,  (bits & 4U) << 6,  (bits & 8U) << 5,
                              (bits & 16U) << 4, (bits & 32U) << 3, (bits & 64U) << 2, (bits & 128U) << 1};
    return {eight_entries(kIq3SGrid.of, block.grid[g], high), signs_of_bits(load_u32(block.signs + 4 * g))};
  }
  SPILLWAY_INLINE __m256 finish(__m256 total, __m256i sum, const ActivationQ8K& a) const {
    return add_scaled_lanes(total, sum, load_half(block.d) * a.d);
  }
};

// ---- formats whose values are signed bytes

SPILLWAY_INLINE Signed as_signed(__m256i values) {
  return {_mm256_abs_epi8(values), values};
}

template <>
struct Format256<BlockIq4Xs> : ScalePer32 {
  using Values = Signed;
  const BlockIq4Xs& block;

  SPILLWAY_INLINE explicit Format256(const BlockIq4Xs& from)
      : ScalePer32(six_bit_scales(from)), block(from) {}

  static SPILLWAY_INLINE __m128i six_bit_scales(const BlockIq4Xs& from) {
    const __m128i low = _mm_cvtepu8_epi16(_mm_cvtsi32_si128(static_cast<int>(load_u32(from.scales_low))));
    const __m128i nibbles =
        _mm_and_si128(_mm_unpacklo_epi16(low, _mm_srli_epi16(low, 4)), _mm_set1_epi16(15));
    // Multiplying shifts two bits of each scale to the top of its lane.
    const __m128i shifts = _mm_setr_epi16(1 << 14, 1 << 12, 1 << 10, 1 << 8, 1 << 6, 1 << 4, 1 << 2, 1);
    const __m128i top =
        _mm_mullo_epi16(_mm_set1_epi16(static_cast<short>(load_u16(from.scales_high))), shifts);
    const __m128i high = _mm_slli_epi16(_mm_srli_epi16(top, 14), 4);
    return _mm_sub_epi16(_mm_or_si128(nibbles, high), _mm_set1_epi16(32));
  }
  SPILLWAY_INLINE Signed values(int g) const {
    const __m128i packed = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block.q[g]));
    const __m256i both = _mm256_set_m128i(_mm_srli_epi16(packed, 4), packed);
    const __m256i table =
        _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(kIq4Values)));
    return as_signed(_mm256_shuffle_epi8(table, _mm256_and_si256(both, _mm256_set1_epi8(15))));
  }
  SPILLWAY_INLINE __m256 finish(__m256 total, __m256i sum, const ActivationQ8K& a) const {
    return add_scaled_lanes(total, sum, load_half(block.d) * a.d);
  }
};

template <>
struct Format256<BlockIq1S> {
  using Values = Signed;
  const BlockIq1S& block;

  SPILLWAY_INLINE explicit Format256(const BlockIq1S& from) : block(from) {}

  SPILLWAY_INLINE __m256i scales(int g) const {
    return _mm256_set1_epi16(static_cast<short>(2 * ((load_u16(block.high[g]) >> 12) & 7U) + 1));
  }
  SPILLWAY_INLINE Signed values(int g) const {
    const uint8_t* low = block.grid + 4 * g;
    const uint32_t high = load_u16(block.high[g]);
    const __m256i grid =
        four_entries(kIq1Grid.of[low[0] | (high & 7U) << 8], kIq1Grid.of[low[1] | (high & 0x38U) << 5],
                     kIq1Grid.of[low[2] | (high & 0x1c0U) << 2], kIq1Grid.of[low[3] | (high & 0xe00U) >> 1]);
    const __m256i shift = _mm256_set1_epi8(static_cast<char>((high & 0x8000U) != 0 ? -1 : 1));
    return as_signed(_mm256_add_epi8(grid, shift));
  }
  SPILLWAY_INLINE __m256 finish(__m256 total, __m256i sum, const ActivationQ8K& a) const {
    return add_scaled_lanes(total, sum, load_half(block.d) * 0.125F * a.d);
  }
};

template <>
struct Format256<BlockIq1M> : ScalePer16 {
  using Values = Signed;
  const BlockIq1M& block;

  SPILLWAY_INLINE explicit Format256(const BlockIq1M& from)
      : ScalePer16(odd_three_bit_scales(from)), block(from) {}

  static SPILLWAY_INLINE __m256i odd_three_bit_scales(const BlockIq1M& from) {
    const auto word = [&](int i) __attribute__((always_inline)) {
      return static_cast<long long>(load_u16(from.scales[i]) * 0x0001000100010001ULL);
    };
    const __m256i words = _mm256_setr_epi64x(word(0), word(1), word(2), word(3));
    // Multiplying by 2^3, 1, … shifts the wanted bits to the same place.
    const __m256i shifts = _mm256_set1_epi64x(0x0001000800400200);
    const __m256i fields =
        _mm256_and_si256(_mm256_srli_epi16(_mm256_mullo_epi16(words, shifts), 8), _mm256_set1_epi16(14));
    return _mm256_or_si256(fields, _mm256_set1_epi16(1));
  }
  SPILLWAY_INLINE Signed values(int g) const {
    const uint8_t* low = block.grid + 4 * g;
    const uint32_t high = load_u16(block.high + 2 * g);
    const __m256i grid =
        four_entries(kIq1Grid.of[low[0] | (high & 7U) << 8], kIq1Grid.of[low[1] | (high & 0x70U) << 4],
                     kIq1Grid.of[low[2] | (high & 0x700U)], kIq1Grid.of[low[3] | (high & 0x7000U) >> 4]);
    const auto shift = [high](int i) __attribute__((always_inline)) {
      return ((high >> (4 * i)) & 8U) != 0 ? ~uint64_t{0} : 0x0101010101010101U;
    };
    return as_signed(_mm256_add_epi8(grid, four_entries(shift(0), shift(1), shift(2), shift(3))));
  }
  SPILLWAY_INLINE __m256 finish(__m256 total, __m256i sum, const ActivationQ8K& a) const {
    return add_scaled_lanes(total, sum, scale_of(block) * 0.125F * a.d);
  }
};

// ---- three values

struct OneScale {
  SPILLWAY_INLINE __m256i scales(int) const { return _mm256_set1_epi16(1); }
};

template <>
struct Format256<BlockTq2_0> : OneScale {
  using Values = Unsigned;
  const BlockTq2_0& block;

  SPILLWAY_INLINE explicit Format256(const BlockTq2_0& from) : block(from) {}

  SPILLWAY_INLINE Unsigned values(int g) const {
    return {bits(load_bytes(block.q + 32 * (g / 4)), 2 * (g % 4), 3)};
  }
  SPILLWAY_INLINE __m256 finish(__m256 total, __m256i sum, const ActivationQ8K& a) const {
    return add_scaled_lanes(total, without_offset(sum, _mm256_set1_epi16(1), a, 0), load_half(block.d) * a.d);
  }
};

// Digits to the base of three do not fall on the borders of registers: the block is unpacked value by value.
template <>
struct Format256<BlockTq1_0> : OneScale {
  using Values = Signed;
  Unpacked unpacked;

  SPILLWAY_INLINE explicit Format256(const BlockTq1_0& from) { unpack(from, unpacked); }

  SPILLWAY_INLINE Signed values(int g) const { return as_signed(load_bytes(unpacked.q + 32 * g)); }
  SPILLWAY_INLINE __m256 finish(__m256 total, __m256i sum, const ActivationQ8K& a) const {
    return add_scaled_lanes(total, sum, unpacked.d * a.d);
  }
};

}  // namespace
}  // namespace spillway
