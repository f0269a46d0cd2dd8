#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace spillway {

struct Interval {
  double low = 0;
  double high = 0;
};

// The difference between the means of two populations, estimated from samples of both.
struct Difference {
  enum class Method : uint8_t {
    exact,       // both means are known without error
    one_sample,  // one mean is known without error
    welch,       // two independent samples
    paired,      // samples taken in pairs: disturbances common to both of a pair cancel
    pooled,      // one sample has a single value, which is assumed to scatter like the other sample
    none         // the error is unknown
  };
  double estimate = 0;  // b − a
  std::optional<Interval> interval;
  Method method = Method::none;
};

struct Samples {
  std::span<const double> values;  // at least one
  bool known = false;              // computed, not measured: a single value is without error
};

// Estimates the difference b − a with a Student interval of the given confidence (0.95), which
// assumes normal errors. For two independent samples it is Welch's interval, which does not assume
// equal variances (B. L. Welch: "The generalization of 'Student's' problem when several different
// population variances are involved", Biometrika 1947). With `in_pairs`, samples of equal number, at
// least two, are paired by position.
Difference difference_of(const Samples& a, const Samples& b, bool in_pairs, double confidence);

}  // namespace spillway
