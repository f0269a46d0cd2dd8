#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "sim/curve/access_stream.h"
#include "tests/support/fakes.h"

// Helpers for the tests of miss-ratio curves.
namespace spillway::curve_test {

inline ModelGeometry shape(std::vector<uint64_t> expert_bytes, uint32_t experts_per_layer, uint32_t top_k) {
  return fake::geometry(std::move(expert_bytes), experts_per_layer, top_k);
}

// Returns about `count` steps; with a `prompt`, a prefill of `prompt` tokens comes first.
inline std::vector<Step> random_steps(const ModelGeometry& shape, size_t count, uint32_t prompt,
                                      uint64_t seed) {
  return fake::random_steps(shape, prompt, uint32_t(count / shape.layers), 0.4, seed);
}

inline AccessStream stream_of(const ModelGeometry& shape, const std::vector<Step>& steps) {
  AccessStream stream(shape);
  for (const Step& step : steps) {
    EXPECT_TRUE(stream.append(step));
  }
  return stream;
}

}  // namespace spillway::curve_test
