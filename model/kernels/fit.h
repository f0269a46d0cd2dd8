#pragma once

#include <cfloat>

#include "model/kernels/lanes.h"

// The search for scales. A run of values x becomes integers q, within limits, and a scale s (and, in some
// formats, a minimum m that is subtracted), such that the sum of the squares of x - (s q - m) is small.
//
// For given q, the best s and m follow from linear equations; for given s and m, rounding gives the best q.
// Alternating between the two only finds a nearby local minimum. So the search begins from many scales around
// the one that spans the values, and keeps the best outcome.
namespace spillway {
namespace {

// Values below this become zero: the half precision in which scales are stored ends long before.
constexpr float kNothing = 1e-12F;

inline float as_half(float value) {
  return f16_to_f32(f32_to_f16(value));
}

// Returns the half-precision number from which a search for a scale of about `value` begins: the nearest, or
// the next larger one where the nearest is much smaller than `value`, since such numbers lie far apart there.
// A smaller number, or zero, would end in levels that do not span the values.
inline float half_to_begin_from(float value) {
  const uint16_t nearest = f32_to_f16(value);
  const float magnitude = __builtin_fabsf(value);
  const bool much_less = __builtin_fabsf(f16_to_f32(nearest)) < magnitude * (1 - 1.0F / 512);
  return magnitude < kNothing || !much_less ? f16_to_f32(nearest)
                                            : f16_to_f32(static_cast<uint16_t>(nearest + 1));
}

inline F32x8 nearest_level(F32x8 v, float least, float most) {
  const F32x8 above = v < splat(least) ? splat(least) : v;
  const F32x8 within = above > splat(most) ? splat(most) : above;
  return (within + kRounder) - kRounder;
}

inline float reciprocal(float scale) {
  return scale == 0 ? 0 : 1 / scale;
}

// Returns the value furthest from zero, with its sign.
template <int kCount>
float furthest_of(const float* x) {
  float furthest = 0;
  for (int i = 0; i < kCount; ++i) {
    furthest = __builtin_fabsf(x[i]) > __builtin_fabsf(furthest) ? x[i] : furthest;
  }
  return furthest;
}

// ---- a scale alone

struct Levels {
  float least;
  float most;
};

struct ScaleSums {
  float xq = 0;
  float qq = 0;
  float error = 0;

  float best_scale() const { return qq == 0 ? 0 : xq / qq; }
};

template <int kCount>
ScaleSums try_scale(const float* x, float scale, Levels levels) {
  const float per_scale = reciprocal(scale);
  F32x8 xq = splat(0);
  F32x8 qq = splat(0);
  F32x8 error = splat(0);
  for (int i = 0; i < kCount; i += 8) {
    const F32x8 v = load8(x + i);
    const F32x8 q = nearest_level(v * per_scale, levels.least, levels.most);
    const F32x8 rest = v - q * scale;
    xq += v * q;
    qq += q * q;
    error += rest * rest;
  }
  return {sum_lanes(xq), sum_lanes(qq), sum_lanes(error)};
}

// The scales from which the search begins: the one that brings the furthest value to the longer end of the
// levels, and others up to a level (in fifths) beyond and short of it.
constexpr int kFifths = 4;

inline float scale_to_begin(float furthest, Levels levels, int fifths) {
  const float shift = 0.2F * static_cast<float>(fifths);
  return levels.least == -levels.most ? __builtin_fabsf(furthest) / (levels.most - shift)
                                      : furthest / (levels.least + shift);
}

// Finds a scale in single precision, since this scale is itself a number that will be quantized.
template <int kCount>
float fit_scale(const float* x, Levels levels) {
  const float furthest = furthest_of<kCount>(x);
  if (__builtin_fabsf(furthest) < kNothing) {
    return 0;
  }
  float best = 0;
  float most = 0;
  for (int fifths = -kFifths; fifths <= kFifths; ++fifths) {
    const ScaleSums sums = try_scale<kCount>(x, scale_to_begin(furthest, levels, fifths), levels);
    // The part of the sum of squares that the best scale for these levels explains.
    const float explained = sums.xq * sums.best_scale();
    if (explained > most) {
      most = explained;
      best = sums.best_scale();
    }
  }
  return best;
}

// Finds a scale in half precision, in which it is stored, and compares errors in that precision too: the
// result is never worse than the plain scale.
template <int kCount>
float fit_half_scale(const float* x, Levels levels) {
  const float furthest = furthest_of<kCount>(x);
  float best = 0;
  float least = FLT_MAX;
  const auto consider = [&](float scale) {
    const float half = as_half(scale);
    const ScaleSums sums = try_scale<kCount>(x, half, levels);
    if (sums.error < least) {
      least = sums.error;
      best = half;
    }
    return sums.best_scale();
  };
  if (__builtin_fabsf(furthest) < kNothing) {
    return 0;
  }
  consider(half_to_begin_from(scale_to_begin(furthest, levels, 0)));
  for (int fifths = -kFifths; fifths <= kFifths; ++fifths) {
    consider(consider(scale_to_begin(furthest, levels, fifths)));
  }
  return best;
}

// ---- a scale and a minimum, neither of them negative; levels from 0 on

struct ScaleMin {
  float scale = 0;
  float min = 0;
};

struct MinSums {
  float q = 0;
  float qq = 0;
  float xq = 0;
  float error = 0;
};

template <int kCount>
MinSums try_min(const float* x, ScaleMin with, float most) {
  const float per_scale = reciprocal(with.scale);
  F32x8 sum = splat(0);
  F32x8 qq = splat(0);
  F32x8 xq = splat(0);
  F32x8 error = splat(0);
  for (int i = 0; i < kCount; i += 8) {
    const F32x8 v = load8(x + i);
    const F32x8 q = nearest_level((v + with.min) * per_scale, 0, most);
    const F32x8 rest = v - (q * with.scale - with.min);
    sum += q;
    qq += q * q;
    xq += v * q;
    error += rest * rest;
  }
  return {sum_lanes(sum), sum_lanes(qq), sum_lanes(xq), sum_lanes(error)};
}

// Returns the best scale and minimum for the levels behind `sums`; `x` is the sum of the values.
inline ScaleMin best_scale_min(const MinSums& sums, float x, float count) {
  const float determinant = count * sums.qq - sums.q * sums.q;
  if (determinant > 0) {
    const float scale = (count * sums.xq - x * sums.q) / determinant;
    const float min = (scale * sums.q - x) / count;
    if (scale > 0 && min >= 0) {
      return {scale, min};
    }
  }
  const float scale = sums.qq > 0 ? sums.xq / sums.qq : 0;
  return {scale > 0 ? scale : 0, 0};
}

template <int kCount>
ScaleMin fit_scale_min(const float* x, float most) {
  float low = 0;
  float high = x[0];
  float sum = 0;
  for (int i = 0; i < kCount; ++i) {
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
    sum += x[i];
  }
  if (high - low < kNothing) {
    return {0, -low};
  }
  ScaleMin best;
  float least = FLT_MAX;
  const auto consider = [&](ScaleMin with) {
    const MinSums sums = try_min<kCount>(x, with, most);
    if (sums.error < least) {
      least = sums.error;
      best = with;
    }
    return best_scale_min(sums, sum, kCount);
  };
  // The scales range from one whose levels span more than the values to one that leaves out the outermost
  // values on both sides.
  constexpr int kScales = 8;
  const float unit = most < 8 ? 0.2F : 0.4F;  // of a level
  for (int i = 0; i < kScales; ++i) {
    const float scale = (high - low) / (most + unit * (static_cast<float>(i) - 2.5F));
    consider(consider({scale, -low}));
  }
  return best;
}

}  // namespace
}  // namespace spillway
