#include "model/kernels/encode.h"
#include "model/kernels/fit.h"
#include "model/kernels/pack.h"

// Blocks of 256 values in runs of 16 or 32. Each run has an integer as its scale (and one as its minimum);
// one or two numbers in half precision multiply these integers. The search first finds the best scale of each
// run by itself. Then it finds the integers and the half-precision numbers in turns, each the best for the
// other, until a turn gains nothing.
namespace spillway {
namespace {

constexpr int kMostTurns = 3;

// Runs turns, the first from `next`, and leaves `block` in the state after the best one.
template <class Block, class Numbers>
void keep_best_turn(Block& block, Numbers next) {
  Block best = block;
  float least = FLT_MAX;
  for (int turn = 0; turn < kMostTurns; ++turn) {
    const float error = block.choose(next, next);
    if (error >= least) {
      break;
    }
    least = error;
    best = block;
  }
  block = best;
}

inline int nearest_int(float value, int least, int most) {
  const float low = static_cast<float>(least);
  const float high = static_cast<float>(most);
  const float within = value < low ? low : value > high ? high : value;
  return static_cast<int>((within + kRounder) - kRounder);
}

void store_levels(const F32x8& q, int8_t* out, float offset) {
  for (int lane = 0; lane < 8; ++lane) {
    out[lane] = static_cast<int8_t>(q[lane] + offset);
  }
}

// ---- without minima: Q3_K and Q6_K

template <class Format>
struct ScaledBlock {
  static constexpr int kRuns = 16;
  static constexpr int kCount = 16;

  const float* x = nullptr;
  float wanted[kRuns] = {};
  int scale[kRuns] = {};
  float d = 0;

  // Gives each run the best of the integers near wanted / `with`. Returns the error; `better` becomes the
  // best d for these integers.
  float choose(float with, float& better) {
    d = with;
    float error = 0;
    float numerator = 0;
    float denominator = 0;
    for (int s = 0; s < kRuns; ++s) {
      const int centre = nearest_int(wanted[s] * reciprocal(d), Format::kLeastScale, Format::kMostScale);
      float least = FLT_MAX;
      ScaleSums chosen;
      for (int candidate = centre - 1; candidate <= centre + 1; ++candidate) {
        if (candidate < Format::kLeastScale || candidate > Format::kMostScale) {
          continue;
        }
        const auto factor = static_cast<float>(candidate);
        const ScaleSums sums = try_scale<kCount>(x + s * kCount, d * factor, Format::kLevels);
        if (sums.error < least) {
          least = sums.error;
          scale[s] = candidate;
          chosen = sums;
        }
      }
      const auto factor = static_cast<float>(scale[s]);
      error += least;
      numerator += factor * chosen.xq;
      denominator += factor * factor * chosen.qq;
    }
    better = denominator > 0 ? as_half(numerator / denominator) : d;
    return error;
  }
};

template <class Format>
void find_scales(ScaledBlock<Format>& block) {
  float furthest = 0;
  for (int s = 0; s < block.kRuns; ++s) {
    const float scale = fit_scale<block.kCount>(block.x + s * block.kCount, Format::kLevels);
    block.wanted[s] = scale;
    furthest = __builtin_fabsf(scale) > __builtin_fabsf(furthest) ? scale : furthest;
  }
  keep_best_turn(block, half_to_begin_from(furthest / static_cast<float>(Format::kLeastScale)));
}

template <class Format>
void encode_scaled(const float* values, std::byte* bytes) {
  ScaledBlock<Format> found;
  found.x = values;
  find_scales(found);
  Unpacked out = {};
  out.d = found.d;
  for (int i = 0; i < 256; i += 8) {
    const int s = i / 16;
    out.scale[s] = static_cast<int16_t>(found.scale[s]);
    const float per_scale = reciprocal(found.d * static_cast<float>(found.scale[s]));
    const F32x8 q = nearest_level(load8(values + i) * per_scale, Format::kLevels.least, Format::kLevels.most);
    store_levels(q, out.q + i, -Format::kLevels.least);
  }
  typename Format::Block block = {};
  pack(out, block);
  __builtin_memcpy(bytes, &block, sizeof block);
}

struct FormatQ3K {
  using Block = BlockQ3K;
  static constexpr Levels kLevels = {-4, 3};
  static constexpr int kLeastScale = -32;
  static constexpr int kMostScale = 31;
};

struct FormatQ6K {
  using Block = BlockQ6K;
  static constexpr Levels kLevels = {-32, 31};
  static constexpr int kLeastScale = -128;
  static constexpr int kMostScale = 127;
};

// ---- with minima: Q2_K, Q4_K and Q5_K

template <class Format>
struct MinBlock {
  static constexpr int kCount = Format::kCount;
  static constexpr int kRuns = 256 / kCount;

  const float* x = nullptr;
  float sum[kRuns] = {};
  ScaleMin wanted[kRuns] = {};
  int scale[kRuns] = {};
  int min[kRuns] = {};
  ScaleMin d;  // multiplies the integers

  // Finds the best pair of integers for run s, near its wanted scale and minimum.
  MinSums choose_run(int s) {
    const int scale_centre = nearest_int(wanted[s].scale * reciprocal(d.scale), 0, Format::kMostScale);
    const int min_centre = nearest_int(wanted[s].min * reciprocal(d.min), 0, Format::kMostScale);
    MinSums chosen;
    chosen.error = FLT_MAX;
    for (int a = scale_centre - 1; a <= scale_centre + 1; ++a) {
      for (int b = min_centre - 1; b <= min_centre + 1; ++b) {
        if ((a != scale_centre && b != min_centre) || a < 0 || b < 0 || a > Format::kMostScale ||
            b > Format::kMostScale) {
          continue;
        }
        const ScaleMin with = {d.scale * static_cast<float>(a), d.min * static_cast<float>(b)};
        const MinSums sums = try_min<kCount>(x + s * kCount, with, Format::kMost);
        if (sums.error < chosen.error) {
          chosen = sums;
          scale[s] = a;
          min[s] = b;
        }
      }
    }
    return chosen;
  }

  // Does the same as ScaledBlock::choose(). The best d follows from two linear equations.
  float choose(ScaleMin with, ScaleMin& better) {
    d = with;
    float error = 0;
    double aa = 0, ab = 0, bb = 0, ax = 0, bx = 0;
    for (int s = 0; s < kRuns; ++s) {
      const MinSums chosen = choose_run(s);
      const double a = scale[s];
      const double b = min[s];
      error += chosen.error;
      aa += a * a * double(chosen.qq);
      ab += a * b * double(chosen.q);
      bb += b * b * kCount;
      ax += a * double(chosen.xq);
      bx += b * double(sum[s]);
    }
    const double determinant = aa * bb - ab * ab;
    better = d;
    if (determinant > 0) {
      const auto next_scale = static_cast<float>((ax * bb - bx * ab) / determinant);
      const auto next_min = static_cast<float>((ax * ab - bx * aa) / determinant);
      if (next_scale > 0 && next_min > 0) {
        better = {as_half(next_scale), as_half(next_min)};
      }
    } else if (aa > 0 && ax > 0) {
      better.scale = as_half(static_cast<float>(ax / aa));
    }
    return error;
  }
};

// Finds the wanted scale and minimum of each run. Returns the largest scale and the largest minimum.
template <class Format>
ScaleMin fit_runs(MinBlock<Format>& block) {
  ScaleMin most;
  for (int s = 0; s < block.kRuns; ++s) {
    const float* x = block.x + s * block.kCount;
    block.wanted[s] = fit_scale_min<block.kCount>(x, Format::kMost);
    for (int i = 0; i < block.kCount; ++i) {
      block.sum[s] += x[i];
    }
    most.scale = block.wanted[s].scale > most.scale ? block.wanted[s].scale : most.scale;
    most.min = block.wanted[s].min > most.min ? block.wanted[s].min : most.min;
  }
  return most;
}

template <class Format>
void find_scales(MinBlock<Format>& block) {
  const ScaleMin most = fit_runs(block);
  keep_best_turn(block, ScaleMin{half_to_begin_from(most.scale / Format::kMostScale),
                                 half_to_begin_from(most.min / Format::kMostScale)});
}

template <class Format>
void encode_with_min(const float* values, std::byte* bytes) {
  MinBlock<Format> found;
  found.x = values;
  find_scales(found);
  Unpacked out = {};
  out.d = found.d.scale;
  out.dmin = found.d.min;
  for (int i = 0; i < 256; i += 8) {
    const int s = i / found.kCount;
    out.scale[i / 16] = static_cast<int16_t>(found.scale[s]);
    out.min[i / 16] = static_cast<int16_t>(found.min[s]);
    const float per_scale = reciprocal(found.d.scale * static_cast<float>(found.scale[s]));
    const float min = found.d.min * static_cast<float>(found.min[s]);
    store_levels(nearest_level((load8(values + i) + min) * per_scale, 0, Format::kMost), out.q + i, 0);
  }
  typename Format::Block block = {};
  pack(out, block);
  __builtin_memcpy(bytes, &block, sizeof block);
}

struct FormatQ2K {
  using Block = BlockQ2K;
  static constexpr int kCount = 16;
  static constexpr float kMost = 3;
  static constexpr int kMostScale = 15;
};

struct FormatQ4K {
  using Block = BlockQ4K;
  static constexpr int kCount = 32;
  static constexpr float kMost = 15;
  static constexpr int kMostScale = 63;
};

struct FormatQ5K {
  using Block = BlockQ5K;
  static constexpr int kCount = 32;
  static constexpr float kMost = 31;
  static constexpr int kMostScale = 63;
};

}  // namespace

void encode_q2_k(const float* values, std::byte* block) {
  encode_with_min<FormatQ2K>(values, block);
}
void encode_q3_k(const float* values, std::byte* block) {
  encode_scaled<FormatQ3K>(values, block);
}
void encode_q4_k(const float* values, std::byte* block) {
  encode_with_min<FormatQ4K>(values, block);
}
void encode_q5_k(const float* values, std::byte* block) {
  encode_with_min<FormatQ5K>(values, block);
}
void encode_q6_k(const float* values, std::byte* block) {
  encode_scaled<FormatQ6K>(values, block);
}

}  // namespace spillway
