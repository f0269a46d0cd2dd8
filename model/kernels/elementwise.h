#pragma once

#include "model/kernels/kernels.h"
#include "model/kernels/lanes.h"

// All kernels but the matrix products, included by each instruction set's source.
namespace spillway {
namespace {

// Computes a dot product in four sums of eight lanes, which hides the latency of an addition. Each value
// always goes to the same lane, so that the result is the same on every machine.
template <class LoadA, class LoadB>
inline float dot_lanes(size_t n, LoadA load_a, LoadB load_b) {
  F32x8 sum[4] = {};
  size_t i = 0;
  for (; i + 32 <= n; i += 32) {
#pragma GCC unroll 4
    for (size_t k = 0; k < 4; ++k) {
      sum[k] += load_a(i + 8 * k, size_t(8)) * load_b(i + 8 * k, size_t(8));
    }
  }
  for (; i < n; i += 8) {
    const size_t left = n - i < 8 ? n - i : 8;
    sum[0] += load_a(i, left) * load_b(i, left);
  }
  return sum_lanes((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

inline F32x8 load_upto8(const float* from, size_t n) {
  return n == 8 ? load8(from) : load_some(from, n, 0);
}

inline F32x8 load_upto8_f16(const uint16_t* from, size_t n) {
  return n == 8 ? load8_f16(from) : load_some_f16(from, n);
}

inline F32x8 load_upto8_bf16(const uint16_t* from, size_t n) {
  uint16_t whole[8] = {};
  __builtin_memcpy(whole, from, n * sizeof(uint16_t));
  return load8_bf16(whole);
}

inline void store_upto8(float* to, F32x8 lanes, size_t n) {
  store_some(to, lanes, n < 8 ? n : 8);
}

float dot(const float* a, const float* b, size_t n) {
  return dot_lanes(
      n, [a](size_t i, size_t left) { return load_upto8(a + i, left); },
      [b](size_t i, size_t left) { return load_upto8(b + i, left); });
}

float dot_f16(const uint16_t* a, const float* b, size_t n) {
  return dot_lanes(
      n, [a](size_t i, size_t left) { return load_upto8_f16(a + i, left); },
      [b](size_t i, size_t left) { return load_upto8(b + i, left); });
}

float dot_bf16(const uint16_t* a, const float* b, size_t n) {
  return dot_lanes(
      n, [a](size_t i, size_t left) { return load_upto8_bf16(a + i, left); },
      [b](size_t i, size_t left) { return load_upto8(b + i, left); });
}

void add_scaled(float scale, const float* x, float* y, size_t n) {
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    store8(y + i, load8(y + i) + load8(x + i) * scale);
  }
  if (i < n) {
    store_some(y + i, load_some(y + i, n - i, 0) + load_some(x + i, n - i, 0) * scale, n - i);
  }
}

void add_scaled_f16(float scale, const uint16_t* x, float* y, size_t n) {
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    store8(y + i, load8(y + i) + load8_f16(x + i) * scale);
  }
  if (i < n) {
    store_some(y + i, load_some(y + i, n - i, 0) + load_some_f16(x + i, n - i) * scale, n - i);
  }
}

void to_f16(const float* x, uint16_t* out, size_t n) {
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    store8_f16(out + i, load8(x + i));
  }
  for (; i < n; ++i) {
    out[i] = f32_to_f16(x[i]);
  }
}

void rms_norm(const float* x, const float* weight, float epsilon, float* out, size_t n) {
  F64x8 squares = {};
  for (size_t i = 0; i < n; i += 8) {
    const F32x8 v = load_upto8(x + i, n - i < 8 ? n - i : 8);
    squares += __builtin_convertvector(v * v, F64x8);
  }
  const float mean = static_cast<float>(sum_lanes(squares) / static_cast<double>(n));
  const float scale = 1.0F / __builtin_sqrtf(mean + epsilon);
  for (size_t i = 0; i < n; i += 8) {
    const size_t left = n - i < 8 ? n - i : 8;
    store_upto8(out + i, load_upto8(x + i, left) * scale * load_upto8(weight + i, left), left);
  }
}

void silu_multiply(const float* gate, const float* up, float* out, size_t n) {
  for (size_t i = 0; i < n; i += 8) {
    const size_t left = n - i < 8 ? n - i : 8;
    const F32x8 z = load_upto8(gate + i, left);
    store_upto8(out + i, z / (exp_lanes(-z) + 1.0F) * load_upto8(up + i, left), left);
  }
}

void softmax(float* x, size_t n) {
  const float least = -__builtin_inff();
  F32x8 most = splat(least);
  for (size_t i = 0; i < n; i += 8) {
    most = max_lanes(n - i < 8 ? load_some(x + i, n - i, least) : load8(x + i), most);
  }
  const float top = max_of(most);
  F64x8 total = {};
  for (size_t i = 0; i < n; i += 8) {
    const size_t left = n - i < 8 ? n - i : 8;
    const F32x8 e = exp_lanes((left < 8 ? load_some(x + i, left, least) : load8(x + i)) - top);
    total += __builtin_convertvector(e, F64x8);
    store_upto8(x + i, e, left);
  }
  const float scale = static_cast<float>(1.0 / sum_lanes(total));
  for (size_t i = 0; i < n; i += 8) {
    const size_t left = n - i < 8 ? n - i : 8;
    store_upto8(x + i, load_upto8(x + i, left) * scale, left);
  }
}

}  // namespace
}  // namespace spillway
