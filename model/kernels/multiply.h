#pragma once

#include "model/kernels/blocks.h"
#include "model/kernels/elementwise.h"
#include "model/kernels/isa.h"
#include "model/kernels/unpack_32.h"

// The loops over rows and tokens, included by each instruction set's source, which provides the dot products.
namespace spillway {
namespace {

// True for types whose blocks are multiplied two at a time. Those with 32 nibbles are: the lower halves of
// both lie in one register, the upper halves in another.
template <class Block>
constexpr bool kPaired = false;
template <>
inline constexpr bool kPaired<BlockQ4_0> = true;
template <>
inline constexpr bool kPaired<BlockQ4_1> = true;
template <>
inline constexpr bool kPaired<BlockQ5_0> = true;
template <>
inline constexpr bool kPaired<BlockQ5_1> = true;
template <>
inline constexpr bool kPaired<BlockIq4Nl> = true;
template <>
inline constexpr bool kPaired<BlockMxfp4> = true;

// The size of the part of a matrix that is multiplied with all tokens, a few at a time, before the next part.
// It stays in the second-level cache while the activations of a few tokens stay in the first.
constexpr size_t kTileBytes = size_t(192) << 10;

// Computes the dot products of one row with `T` activation rows, which are `stride` bytes apart.
template <int T>
using DotRow = void (*)(const std::byte* row, size_t columns, const std::byte* activations, size_t stride,
                        float* out);

struct DotRows {
  DotRow<1> one;
  DotRow<2> two;
  DotRow<4> four;
};

void multiply_rows(const Matrix& w, uint32_t first, uint32_t last, const std::byte* activations,
                   uint32_t tokens, float* out, size_t out_stride, size_t stride, const DotRows& dot_rows) {
  float y[4];
  for (uint32_t t = 0; t < tokens;) {
    const uint32_t count = tokens - t >= 4 ? 4 : (tokens - t >= 2 ? 2 : 1);
    const std::byte* a = activations + t * stride;
    for (uint32_t r = first; r < last; ++r) {
      const std::byte* row = w.data + r * w.row_bytes;
      if (count == 4) {
        dot_rows.four(row, w.columns, a, stride, y);
      } else if (count == 2) {
        dot_rows.two(row, w.columns, a, stride, y);
      } else {
        dot_rows.one(row, w.columns, a, stride, y);
      }
      for (uint32_t k = 0; k < count; ++k) {
        out[(t + k) * out_stride + r] = y[k];
      }
    }
    t += count;
  }
}

void multiply_tiles(const Matrix& w, uint32_t first, uint32_t last, const std::byte* activations,
                    uint32_t tokens, float* out, size_t out_stride, const DotRows& dot_rows) {
  const size_t stride = activation_bytes(activation_type(w.type), w.columns);
  const size_t fit = kTileBytes / w.row_bytes;
  const uint32_t tile = tokens <= 4 || fit >= last - first ? last - first : static_cast<uint32_t>(fit | 1U);
  for (uint32_t r = first; r < last;) {
    const uint32_t end = last - r < tile ? last : r + tile;
    multiply_rows(w, r, end, activations, tokens, out, out_stride, stride, dot_rows);
    r = end;
  }
}

// F32, F16 and BF16 are bound by memory in any case, so one source serves every instruction set.
template <float (*Dot)(const uint16_t*, const float*, size_t), int T>
void dot_halves(const std::byte* row, size_t columns, const std::byte* activations, size_t stride,
                float* out) {
  for (size_t t = 0; t < T; ++t) {
    out[t] = Dot(reinterpret_cast<const uint16_t*>(row),
                 reinterpret_cast<const float*>(activations + t * stride), columns);
  }
}

template <int T>
void dot_floats(const std::byte* row, size_t columns, const std::byte* activations, size_t stride,
                float* out) {
  for (size_t t = 0; t < T; ++t) {
    out[t] = dot(reinterpret_cast<const float*>(row),
                 reinterpret_cast<const float*>(activations + t * stride), columns);
  }
}

template <float (*Dot)(const uint16_t*, const float*, size_t)>
constexpr DotRows kDotHalves = {dot_halves<Dot, 1>, dot_halves<Dot, 2>, dot_halves<Dot, 4>};
constexpr DotRows kDotFloats = {dot_floats<1>, dot_floats<2>, dot_floats<4>};

// Formats whose blocks have several parts of 32 values are rare. Each part is unpacked by the same source for
// every instruction set, and multiplied with Dots::lanes().
template <class Dots, class Block, int T>
void dot_parts(const std::byte* row, size_t columns, const std::byte* activations, size_t stride,
               float* out) {
  constexpr size_t kParts = kBlockValues<Block> / 32;
  const Block* blocks = reinterpret_cast<const Block*>(row);
  F32x8 sum[T][2] = {};
  UnpackedPart w;
  for (size_t p = 0; p < columns / 32; ++p) {
    unpack_part(blocks[p / kParts], p % kParts, w);
    const F32x8 scale = {w.d[0], w.d[0], w.d[0], w.d[0], w.d[1], w.d[1], w.d[1], w.d[1]};
    for (size_t t = 0; t < T; ++t) {
      const ActivationQ8& a = reinterpret_cast<const ActivationQ8*>(activations + t * stride)[p / 8];
      const F32x8 lanes = __builtin_convertvector(Dots::lanes(w.q, a.q[p % 8]), F32x8);
      sum[t][p % 2] += lanes * (scale * a.d[p % 8]);
    }
  }
  for (int t = 0; t < T; ++t) {
    out[t] = sum_lanes(sum[t][0] + sum[t][1]);
  }
}

// `Dots` has dot_256<Block, T> and dot_32<Block, T>, each a DotRow<T>, and lanes(q, x): the eight sums of
// four neighbouring products each of 32 bytes with 32 others.
template <class Dots, class Block>
constexpr DotRows kDot256 = {Dots::template dot_256<Block, 1>, Dots::template dot_256<Block, 2>,
                             Dots::template dot_256<Block, 4>};
template <class Dots, class Block>
constexpr DotRows kDot32 = {Dots::template dot_32<Block, 1>, Dots::template dot_32<Block, 2>,
                            Dots::template dot_32<Block, 4>};

template <class Dots, class Block>
constexpr DotRows kDotParts = {dot_parts<Dots, Block, 1>, dot_parts<Dots, Block, 2>,
                               dot_parts<Dots, Block, 4>};

template <class Dots>
const DotRows& dot_rows_of(TensorType type) {
  switch (type) {
    case TensorType::f32:
      return kDotFloats;
    case TensorType::f16:
      return kDotHalves<dot_f16>;
    case TensorType::bf16:
      return kDotHalves<dot_bf16>;
    case TensorType::q8_0:
      return kDot32<Dots, BlockQ8_0>;
    case TensorType::q4_0:
      return kDot32<Dots, BlockQ4_0>;
    case TensorType::q4_1:
      return kDot32<Dots, BlockQ4_1>;
    case TensorType::q5_0:
      return kDot32<Dots, BlockQ5_0>;
    case TensorType::q5_1:
      return kDot32<Dots, BlockQ5_1>;
    case TensorType::iq4_nl:
      return kDot32<Dots, BlockIq4Nl>;
    case TensorType::nvfp4:
      return kDotParts<Dots, BlockNvfp4>;
    case TensorType::q1_0:
      return kDotParts<Dots, BlockQ1_0>;
    case TensorType::q2_0:
      return kDotParts<Dots, BlockQ2_0>;
    case TensorType::mxfp4:
      return kDot32<Dots, BlockMxfp4>;
    case TensorType::q2_k:
      return kDot256<Dots, BlockQ2K>;
    case TensorType::q3_k:
      return kDot256<Dots, BlockQ3K>;
    case TensorType::q4_k:
      return kDot256<Dots, BlockQ4K>;
    case TensorType::q5_k:
      return kDot256<Dots, BlockQ5K>;
    case TensorType::q6_k:
      return kDot256<Dots, BlockQ6K>;
    case TensorType::iq2_xxs:
      return kDot256<Dots, BlockIq2Xxs>;
    case TensorType::iq2_xs:
      return kDot256<Dots, BlockIq2Xs>;
    case TensorType::iq2_s:
      return kDot256<Dots, BlockIq2S>;
    case TensorType::iq3_xxs:
      return kDot256<Dots, BlockIq3Xxs>;
    case TensorType::iq3_s:
      return kDot256<Dots, BlockIq3S>;
    case TensorType::iq4_xs:
      return kDot256<Dots, BlockIq4Xs>;
    case TensorType::iq1_s:
      return kDot256<Dots, BlockIq1S>;
    case TensorType::iq1_m:
      return kDot256<Dots, BlockIq1M>;
    case TensorType::tq1_0:
      return kDot256<Dots, BlockTq1_0>;
    case TensorType::tq2_0:
      return kDot256<Dots, BlockTq2_0>;
    default:
      refuse_type(type);
  }
}

template <class Dots>
void multiply(const Matrix& weights, uint32_t first_row, uint32_t last_row, const std::byte* activations,
              uint32_t tokens, float* out, size_t out_stride) {
  multiply_tiles(weights, first_row, last_row, activations, tokens, out, out_stride,
                 dot_rows_of<Dots>(weights.type));
}

}  // namespace
}  // namespace spillway
