#include "model/kernels/multiply.h"
#include "model/kernels/quantize.h"
#include "model/kernels/unpack.h"
#include "model/kernels/unpack_32.h"
#include "model/kernels/unpack_iq.h"

// The kernels that run on every processor. They define the results that the other instruction sets must match
// bit for bit. A block's integer sum is kept in eight lanes; lane l takes the four neighbours from 4l of
// every 32 values. The lanes are scaled and added up block by block in f32.
namespace spillway {
namespace {

struct Lanes {
  int32_t lane[8];
};

inline F32x8 to_f32(const Lanes& sums) {
  I32x8 lanes;
  __builtin_memcpy(&lanes, sums.lane, sizeof lanes);
  return __builtin_convertvector(lanes, F32x8);
}

inline int32_t dot4(const int8_t* a, const int8_t* b) {
  return (a[0] * b[0] + a[1] * b[1]) + (a[2] * b[2] + a[3] * b[3]);
}

inline Lanes scaled_sums(const Unpacked& w, const ActivationQ8K& a) {
  Lanes sums = {};
  for (int g = 0; g < 8; ++g) {
    for (int l = 0; l < 8; ++l) {
      const int at = 32 * g + 4 * l;
      sums.lane[l] += w.scale[at / 16] * dot4(w.q + at, a.q + at);
    }
  }
  return sums;
}

// Multiplies the sums of each 16 values with their factors; lane l takes sums 2l and 2l + 1.
inline Lanes sixteenths(const int16_t* factor, const ActivationQ8K& a) {
  Lanes sums = {};
  for (int l = 0; l < 8; ++l) {
    sums.lane[l] = factor[2 * l] * a.sums16[2 * l] + factor[2 * l + 1] * a.sums16[2 * l + 1];
  }
  return sums;
}

inline F32x8 scaled_block(const Unpacked32& w, const ActivationQ8& a, size_t block) {
  Lanes lanes = {};
  for (int l = 0; l < 8; ++l) {
    lanes.lane[l] = dot4(w.q + 4 * l, a.q[block] + 4 * l);
  }
  return to_f32(lanes) * (w.d * a.d[block]);
}

// Multiplies two blocks: four lanes for the first, four for the second. A lane takes four neighbours from
// each half of its block.
inline F32x8 scaled_pair(const Unpacked32* w, const ActivationQ8& a, size_t block) {
  Lanes lanes = {};
  F32x8 scale = {};
  for (int l = 0; l < 8; ++l) {
    const int8_t* q = w[l / 4].q + 4 * (l % 4);
    const size_t k = block + static_cast<size_t>(l / 4);
    const int8_t* x = a.q[k] + 4 * (l % 4);
    lanes.lane[l] = dot4(q, x) + dot4(q + 16, x + 16);
    scale[l] = w[l / 4].d * a.d[k];
  }
  return to_f32(lanes) * scale;
}

// The minima of two blocks, multiplied with the sums of the activations that share a lane.
inline F32x8 minima_of_pair(const Unpacked32* w, const ActivationQ8& a, size_t block) {
  Lanes lanes = {};
  F32x8 scale = {};
  for (int l = 0; l < 8; ++l) {
    const size_t k = block + static_cast<size_t>(l / 4);
    lanes.lane[l] = a.minus8[k][l % 4];
    scale[l] = (w[l / 4].m * -0.125F) * a.d[k];
  }
  return to_f32(lanes) * scale;
}

struct PortableDots {
  static I32x8 lanes(const int8_t* q, const int8_t* x) {
    I32x8 sums = {};
    for (int l = 0; l < 8; ++l) {
      sums[l] = dot4(q + 4 * l, x + 4 * l);
    }
    return sums;
  }

  template <class Block, int T>
  static void dot_256(const std::byte* row, size_t columns, const std::byte* activations, size_t stride,
                      float* out) {
    const Block* blocks = reinterpret_cast<const Block*>(row);
    F32x8 sum[T] = {};
    Unpacked w;
    for (size_t b = 0; b < columns / 256; ++b) {
      unpack(blocks[b], w);
      for (size_t t = 0; t < T; ++t) {
        const ActivationQ8K& a = reinterpret_cast<const ActivationQ8K*>(activations + t * stride)[b];
        Lanes lanes = scaled_sums(w, a);
        if constexpr (Traits<Block>::kOffset != 0) {
          const Lanes offset = sixteenths(w.scale, a);
          for (int l = 0; l < 8; ++l) {
            lanes.lane[l] -= Traits<Block>::kOffset * offset.lane[l];
          }
        }
        sum[t] += to_f32(lanes) * (w.d * a.d);
        if constexpr (Traits<Block>::kHasMin) {
          sum[t] -= to_f32(sixteenths(w.min, a)) * (w.dmin * a.d);
        }
      }
    }
    for (int t = 0; t < T; ++t) {
      out[t] = sum_lanes(sum[t]);
    }
  }

  // Sums every second register separately: a single chain of additions would be the bottleneck on other
  // instruction sets.
  template <class Block, int T>
  static void dot_32(const std::byte* row, size_t columns, const std::byte* activations, size_t stride,
                     float* out) {
    const Block* blocks = reinterpret_cast<const Block*>(row);
    F32x8 sum[T][2] = {};
    const size_t step = kPaired<Block> ? 2 : 1;
    for (size_t b = 0; b < columns / 32; b += step) {
      Unpacked32 w[2] = {};
      unpack(blocks[b], w[0]);
      if (kPaired<Block> && b + 1 < columns / 32) {
        unpack(blocks[b + 1], w[1]);
      }
      for (size_t t = 0; t < T; ++t) {
        const ActivationQ8& a = reinterpret_cast<const ActivationQ8*>(activations + t * stride)[b / 8];
        F32x8& total = sum[t][b / step % 2];
        total += kPaired<Block> ? scaled_pair(w, a, b % 8) : scaled_block(w[0], a, b % 8);
        if constexpr (kHasMin32<Block>) {
          static_assert(kPaired<Block>);
          total += minima_of_pair(w, a, b % 8);
        }
      }
    }
    for (int t = 0; t < T; ++t) {
      out[t] = sum_lanes(sum[t][0] + sum[t][1]);
    }
  }
};

}  // namespace

const Kernels kPortableKernels = {Isa::portable, "portable", quantize,      multiply<PortableDots>,
                                  dot,           add_scaled, dot_f16,       add_scaled_f16,
                                  to_f16,        rms_norm,   silu_multiply, softmax};

}  // namespace spillway
