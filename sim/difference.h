#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace spillway {

struct Interval {
  double low = 0;
  double high = 0;
};

// How much the mean of one population exceeds that of another, from samples of both.
struct Difference {
  enum class Method : uint8_t {
    exact,       // both are known without error
    one_sample,  // one is
    welch,       // two independent samples
    paired,      // samples taken in pairs: what both of a pair suffer cancels
    pooled,      // one sample has a single value and is taken to scatter as the other does
    none         // nothing is known of the error
  };
  double estimate = 0;  // of b − a
  std::optional<Interval> interval;
  Method method = Method::none;
};

struct Samples {
  std::span<const double> values;  // at least one
  bool known = false;              // computed, not measured: a single value is without error
};

// Student's intervals of the given confidence (0.95), in which the difference lies if the errors are normal;
// for two samples Welch's, which does not take them to scatter alike (B. L. Welch: "The generalization of
// 'Student's' problem when several different population variances are involved", Biometrika 1947).
// Samples are paired, by position, where `in_pairs` and there are at least two of equal number.
Difference difference_of(const Samples& a, const Samples& b, bool in_pairs, double confidence);

}  // namespace spillway
