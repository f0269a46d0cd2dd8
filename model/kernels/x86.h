#pragma once

#include <immintrin.h>

#include "model/kernels/multiply.h"
#include "model/kernels/x86_formats.h"
#include "model/kernels/x86_formats_32.h"
#include "model/kernels/x86_iq_formats.h"

// The dot products of AVX2 and AVX-512: one source, compiled once for each. Both use registers of 256 bits.
// The integer sums of a block have the lanes that portable.cc defines.
namespace spillway {
namespace {

// How far ahead to prefetch. Processors prefetch along a row by themselves; an explicit request also covers
// the step to the next page.
constexpr size_t kAhead = 1536;

template <class Block>
inline __attribute__((always_inline)) void prefetch(const Block* blocks, size_t count) {
  const char* from = reinterpret_cast<const char*>(blocks) + kAhead;
  for (size_t i = 0; i < count * sizeof(Block); i += 64) {
    __builtin_prefetch(from + i);
  }
}

// Adds to `sum` the products of unsigned and signed bytes, four neighbours in a lane, with one i16 scale for
// each pair. No format's pairs exceed 16 bits.
SPILLWAY_INLINE __m256i add_products(__m256i sum, __m256i bytes, __m256i signed_bytes, __m256i scales) {
  const __m256i pairs = _mm256_maddubs_epi16(bytes, signed_bytes);
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
  return _mm256_dpwssd_epi32(sum, pairs, scales);
#else
  sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, scales));
  // Keeps the compiler from computing all products of a block first and then adding them up as a tree: there
  // are too few registers for that.
  asm("" : "+x"(sum));
  return sum;
#endif
}

struct X86Dots {
  static SPILLWAY_INLINE I32x8 lanes(const int8_t* q, const int8_t* x) {
    return reinterpret_cast<I32x8>(dot_signed(load_bytes(q), load_bytes(x)));
  }

  template <class Block, int T>
  static void dot_256(const std::byte* row, size_t columns, const std::byte* activations, size_t stride,
                      float* out) {
    using Format = Format256<Block>;
    const Block* blocks = reinterpret_cast<const Block*>(row);
    __m256 total[T];
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      total[t] = _mm256_setzero_ps();
    }
    for (size_t b = 0; b < columns / 256; ++b) {
      if constexpr (T == 1) {
        prefetch(blocks + b, 1);
      }
      const Format w(blocks[b]);
      const ActivationQ8K* a[T];
      __m256i sum[T];
#pragma GCC unroll 4
      for (size_t t = 0; t < T; ++t) {
        a[t] = reinterpret_cast<const ActivationQ8K*>(activations + t * stride) + b;
        sum[t] = _mm256_setzero_si256();
      }
#pragma GCC unroll 8
      for (int g = 0; g < 8; ++g) {
        const typename Format::Values values = w.values(g);
        const __m256i scales = w.scales(g);
#pragma GCC unroll 4
        for (size_t t = 0; t < T; ++t) {
          sum[t] = add_products(sum[t], values.bytes, values.signs(load_bytes(a[t]->q + 32 * g)), scales);
        }
      }
#pragma GCC unroll 4
      for (size_t t = 0; t < T; ++t) {
        total[t] = w.finish(total[t], sum[t], *a[t]);
      }
    }
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      out[t] = sum_lanes(total[t]);
    }
  }

  template <class Block, int T>
  static void dot_32(const std::byte* row, size_t columns, const std::byte* activations, size_t stride,
                     float* out) {
    const Block* blocks = reinterpret_cast<const Block*>(row);
    const size_t count = columns / 32;
    __m256 total[T][2];
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      total[t][0] = total[t][1] = _mm256_setzero_ps();
    }
    size_t b = 0;
    for (; b + 8 <= count; b += 8) {
      if constexpr (T == 1) {
        prefetch(blocks + b, 8);
      }
      add_blocks<Block, T, 8>(blocks + b, 8, block_scales(blocks + b), activations, stride, b / 8, total);
    }
    if (b < count) {
      Block rest[8] = {};  // a copy, since bytes behind the row's end must not be read
      __builtin_memcpy(rest, blocks + b, (count - b) * sizeof(Block));
      add_blocks<Block, T, 1>(rest, count - b, block_scales(rest), activations, stride, b / 8, total);
    }
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      out[t] = sum_lanes(_mm256_add_ps(total[t][0], total[t][1]));
    }
  }

 private:
  // Adds the products of up to eight blocks. Their scales go through memory, since a broadcast from memory
  // costs no shuffle.
  template <class Block, int T, int Unroll>
  static inline __attribute__((always_inline)) void add_blocks(const Block* blocks, size_t count,
                                                               __m256 scales, const std::byte* activations,
                                                               size_t stride, size_t chunk,
                                                               __m256 (*total)[2]) {
    const ActivationQ8* a[T];
    alignas(32) float d[T][8];
#pragma GCC unroll 4
    for (size_t t = 0; t < T; ++t) {
      a[t] = reinterpret_cast<const ActivationQ8*>(activations + t * stride) + chunk;
      _mm256_store_ps(d[t], _mm256_mul_ps(scales, _mm256_loadu_ps(a[t]->d)));
    }
    [[maybe_unused]] alignas(32) float m[T][8];
    if constexpr (kHasMin32<Block>) {
      const __m256 minima = _mm256_mul_ps(block_minima(blocks), _mm256_set1_ps(-0.125F));
#pragma GCC unroll 4
      for (size_t t = 0; t < T; ++t) {
        _mm256_store_ps(m[t], _mm256_mul_ps(minima, _mm256_loadu_ps(a[t]->d)));
      }
    }
    constexpr size_t kStep = kPaired<Block> ? 2 : 1;
#pragma GCC unroll 8
    for (size_t k = 0; k < (Unroll == 8 ? 8 : count); k += kStep) {
      const Format32<Block> w(blocks + k);
#pragma GCC unroll 4
      for (size_t t = 0; t < T; ++t) {
        const __m256 sums = _mm256_cvtepi32_ps(w.dot(a[t]->q[k], a[t]->minus8[k]));
        __m256 scale = _mm256_broadcast_ss(&d[t][k]);
        if constexpr (kPaired<Block>) {
          scale = _mm256_blend_ps(scale, _mm256_broadcast_ss(&d[t][k + 1]), 0xf0);
        }
        __m256& sum = total[t][k / kStep % 2];
        sum = _mm256_add_ps(sum, _mm256_mul_ps(sums, scale));
        if constexpr (kHasMin32<Block>) {
          const __m256 both =
              _mm256_blend_ps(_mm256_broadcast_ss(&m[t][k]), _mm256_broadcast_ss(&m[t][k + 1]), 0xf0);
          const __m256 of_x = _mm256_cvtepi32_ps(load_bytes(a[t]->minus8[k]));
          sum = _mm256_add_ps(sum, _mm256_mul_ps(of_x, both));
        }
      }
    }
  }
};

}  // namespace
}  // namespace spillway
