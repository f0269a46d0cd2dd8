#pragma once

#include <cfloat>

#include "model/kernels/blocks.h"
#include "model/kernels/kernels.h"
#include "model/kernels/lanes.h"

// Converts activations into the form that their weights are multiplied with; included by each
// instruction set's source. Scales and rounding are those of the common CPU backends, so that logits
// agree as closely as possible.
namespace spillway {
namespace {

using I8x8 = int8_t __attribute__((vector_size(8)));

inline int32_t sum_of(I32x8 v) {
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

inline I32x8 round_to_bytes(const float* x, float scale, int8_t* out) {
  const I32x8 q = nearest(load8(x) * scale);
  const I8x8 bytes = __builtin_convertvector(q, I8x8);
  __builtin_memcpy(out, &bytes, sizeof bytes);
  return q;
}

// Returns the value furthest from zero, with its sign; of equals the first.
inline float furthest_of_256(const float* x) {
  F32x8 high = load8(x);
  F32x8 low = high;
  for (size_t i = 8; i < 256; i += 8) {
    const F32x8 v = load8(x + i);
    high = v > high ? v : high;
    low = v < low ? v : low;
  }
  const float most = max_of(high);
  const float least = -max_of(-low);
  if (most != -least) {
    return most > -least ? most : least;
  }
  for (size_t i = 0; i < 256; ++i) {
    if (x[i] == most || x[i] == least) {
      return x[i];
    }
  }
  return 0;
}

// Returns 0, or NaN if a value is no finite number: a comparison would skip it.
template <size_t N>
inline float poison(const float* x) {
  F32x8 sum = {};
  for (size_t i = 0; i < N; i += 8) {
    sum += load8(x + i) * 0.0F;
  }
  return sum_lanes(sum);
}

void quantize_q8k(const float* x, ActivationQ8K& out) {
  __builtin_memset(&out, 0, sizeof out);
  out.d = poison<256>(x);
  if (out.d != 0) {
    return;
  }
  const float furthest = furthest_of_256(x);
  const float scale = -127.0F / furthest;
  if (!(__builtin_fabsf(scale) <= FLT_MAX)) {  // all values are zero, or too small to make a difference
    return;
  }
  for (size_t s = 0; s < 16; ++s) {
    const I32x8 first = round_to_bytes(x + 16 * s, scale, out.q + 16 * s);
    const I32x8 second = round_to_bytes(x + 16 * s + 8, scale, out.q + 16 * s + 8);
    const int32_t sum = sum_of(first + second);
    out.sums16[s] = static_cast<int16_t>(sum);
    out.sums32[s / 2] += sum;
  }
  out.d = 1.0F / scale;
}

inline F32x8 magnitude(F32x8 v) {
  return reinterpret_cast<F32x8>(reinterpret_cast<I32x8>(v) & 0x7fffffff);
}

void quantize_32(const float* x, ActivationQ8& out, size_t block) {
  out.d[block] = poison<32>(x);
  if (out.d[block] != 0) {
    return;
  }
  F32x8 most = magnitude(load8(x));
  for (size_t i = 8; i < 32; i += 8) {
    most = max_lanes(magnitude(load8(x + i)), most);
  }
  const float furthest = max_of(most);
  const float scale = 127.0F / furthest;
  if (!(scale <= FLT_MAX)) {
    return;
  }
  for (size_t i = 0; i < 32; i += 8) {
    const I32x8 q = round_to_bytes(x + i, scale, out.q[block] + i);
    for (size_t k = 0; k < 2; ++k) {
      const size_t at = 4 * k;
      out.minus8[block][i / 4 % 4 + k] += -8 * ((q[at] + q[at + 1]) + (q[at + 2] + q[at + 3]));
    }
  }
  out.d[block] = f16_to_f32(f32_to_f16(furthest / 127.0F));
}

void quantize_q8(const float* x, size_t n, ActivationQ8* out) {
  for (size_t i = 0; i < n; i += 256) {
    ActivationQ8& chunk = out[i / 256];
    __builtin_memset(&chunk, 0, sizeof chunk);
    for (size_t k = 0; k < 8 && i + 32 * k < n; ++k) {
      quantize_32(x + i + 32 * k, chunk, k);
    }
  }
}

void quantize(ActivationType type, std::span<const float> x, std::byte* out) {
  float* values = reinterpret_cast<float*>(out);
  const size_t n = x.size();
  switch (type) {
    case ActivationType::f32:
      __builtin_memcpy(values, x.data(), n * sizeof(float));
      return;
    case ActivationType::f16:
      for (size_t i = 0; i < n; ++i) {
        values[i] = f16_to_f32(f32_to_f16(x[i]));
      }
      return;
    case ActivationType::bf16:
      for (size_t i = 0; i < n; ++i) {
        values[i] = bf16_to_f32(f32_to_bf16(x[i]));
      }
      return;
    case ActivationType::q8_0:
      return quantize_q8(x.data(), n, reinterpret_cast<ActivationQ8*>(out));
    case ActivationType::q8_k:
      for (size_t i = 0; i < n; i += 256) {
        quantize_q8k(x.data() + i, reinterpret_cast<ActivationQ8K*>(out)[i / 256]);
      }
      return;
  }
}

}  // namespace
}  // namespace spillway
