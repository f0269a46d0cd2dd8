#pragma once

#include <cstddef>
#include <cstdint>

#include "model/kernels/half.h"
#if defined(__F16C__)
#include <immintrin.h>
#endif

// Eight lanes in the compiler's own vector types. One source becomes the widest registers of each instruction
// set that includes it. No operations are fused (the build switches contraction off), so every instruction
// set rounds the same and gives the same bits.
namespace spillway {
namespace {

// Values of these types never cross the border of a source file, so it does not matter how they
// are passed (-Wno-psabi).
using F32x8 = float __attribute__((vector_size(32)));
using I32x8 = int32_t __attribute__((vector_size(32)));
using F64x8 = double __attribute__((vector_size(64)));

inline F32x8 splat(float value) {
  return F32x8{} + value;
}

inline F32x8 load8(const float* from) {
  F32x8 lanes;
  __builtin_memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

inline void store8(float* to, F32x8 lanes) {
  __builtin_memcpy(to, &lanes, sizeof lanes);
}

// Loads the first n < 8 lanes; the others become `filler`.
inline F32x8 load_some(const float* from, size_t n, float filler) {
  F32x8 lanes = splat(filler);
  __builtin_memcpy(&lanes, from, n * sizeof(float));
  return lanes;
}

inline void store_some(float* to, F32x8 lanes, size_t n) {
  __builtin_memcpy(to, &lanes, n * sizeof(float));
}

inline F32x8 load8_f16(const uint16_t* from) {
#if defined(__F16C__)
  return reinterpret_cast<F32x8>(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
#else
  F32x8 lanes;
  for (int i = 0; i < 8; ++i) {
    lanes[i] = f16_to_f32(from[i]);
  }
  return lanes;
#endif
}

inline void store8_f16(uint16_t* to, F32x8 lanes) {
#if defined(__F16C__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                   _mm256_cvtps_ph(reinterpret_cast<__m256>(lanes), _MM_FROUND_TO_NEAREST_INT));
#else
  for (int i = 0; i < 8; ++i) {
    to[i] = f32_to_f16(lanes[i]);
  }
#endif
}

inline F32x8 load_some_f16(const uint16_t* from, size_t n) {
  uint16_t whole[8] = {};
  __builtin_memcpy(whole, from, n * sizeof(uint16_t));
  return load8_f16(whole);
}

inline F32x8 load8_bf16(const uint16_t* from) {
#if defined(__AVX2__)
  const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return reinterpret_cast<F32x8>(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
#else
  using U16x8 = uint16_t __attribute__((vector_size(16)));
  U16x8 halves;
  __builtin_memcpy(&halves, from, sizeof halves);
  return reinterpret_cast<F32x8>(__builtin_convertvector(halves, I32x8) << 16);
#endif
}

// Adds in a fixed order, so that every instruction set rounds the same.
inline float sum_lanes(F32x8 v) {
  const float a = v[0] + v[4];
  const float b = v[1] + v[5];
  const float c = v[2] + v[6];
  const float d = v[3] + v[7];
  return (a + c) + (b + d);
}

inline double sum_lanes(F64x8 v) {
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

inline F32x8 max_lanes(F32x8 a, F32x8 b) {
  return a > b ? a : b;
}

inline float max_of(F32x8 v) {
  float most = v[0];
  for (int i = 1; i < 8; ++i) {
    most = v[i] > most ? v[i] : most;
  }
  return most;
}

// Adding 1.5 * 2^23 leaves no bits for a fraction: the last bits of the sum are the
// nearest integer, ties to even.
constexpr float kRounder = 12582912.0F;

inline I32x8 nearest(F32x8 x) {
  return reinterpret_cast<I32x8>(x + kRounder) - 0x4b400000;
}

// Computes e^x to about one unit in the last place: x = n ln 2 + r, and a polynomial for e^r. The result is
// zero or infinity beyond the range of normal numbers.
inline F32x8 exp_lanes(F32x8 x) {
  const F32x8 bounded = x < splat(-87.3F) ? splat(-87.3F) : (x > splat(88.7F) ? splat(88.7F) : x);
  const F32x8 n = (bounded * 1.44269504F + kRounder) - kRounder;
  // ln 2 has two parts; n times the first is exact.
  const F32x8 r = (bounded - n * 0.693359375F) - n * -2.12194440e-4F;
  F32x8 p = splat(1.0F / 5040);
  p = p * r + 1.0F / 720;
  p = p * r + 1.0F / 120;
  p = p * r + 1.0F / 24;
  p = p * r + 1.0F / 6;
  p = p * r + 0.5F;
  p = (p * (r * r) + r) + 1.0F;
  // 2^n has two factors, since n may be 128.
  const I32x8 exponent = nearest(bounded * 1.44269504F);
  const I32x8 first = exponent >> 1;
  const F32x8 scaled = p * reinterpret_cast<F32x8>((first + 127) << 23) *
                       reinterpret_cast<F32x8>((exponent - first + 127) << 23);
  const F32x8 high = x > splat(88.7228F) ? splat(__builtin_inff()) : scaled;
  return x < splat(-87.3F) ? splat(0) : high;
}

}  // namespace
}  // namespace spillway
