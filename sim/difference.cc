#include "sim/difference.h"

#include <gsl/gsl_cdf.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/expects.h"

namespace spillway {
namespace {

struct Moments {
  double count = 0;
  double mean = 0;
  double squares = 0;  // of the distances from the mean, summed

  double variance() const { return squares / (count - 1); }  // count > 1
};

Moments moments_of(std::span<const double> values) {
  Moments moments{double(values.size()), 0, 0};
  for (const double value : values) {
    moments.mean += value / moments.count;
  }
  for (const double value : values) {
    moments.squares += (value - moments.mean) * (value - moments.mean);
  }
  const bool all_equal =
      std::all_of(values.begin(), values.end(), [&](double value) { return value == values.front(); });
  if (all_equal) {  // rounding above would make the mean differ a little from the values
    moments.mean = values.front();
    moments.squares = 0;
  }
  return moments;
}

// Returns the interval around an estimate whose error has the standard deviation `deviation`, itself
// estimated with `freedom` degrees of freedom.
Interval around(double estimate, double deviation, double freedom, double confidence) {
  const double reach = deviation == 0 ? 0 : deviation * gsl_cdf_tdist_Pinv(0.5 + confidence / 2, freedom);
  return {estimate - reach, estimate + reach};
}

Interval paired_interval(std::span<const double> a, std::span<const double> b, double confidence) {
  std::vector<double> differences;
  for (size_t i = 0; i < a.size(); ++i) {
    differences.push_back(b[i] - a[i]);
  }
  const Moments moments = moments_of(differences);
  return around(moments.mean, std::sqrt(moments.variance() / moments.count), moments.count - 1, confidence);
}

// Returns Welch's interval; the degrees of freedom are Satterthwaite's.
Interval welch_interval(const Moments& a, const Moments& b, double confidence) {
  const double of_a = a.variance() / a.count;
  const double of_b = b.variance() / b.count;
  const double both = of_a + of_b;
  const double freedom = both * both / (of_a * of_a / (a.count - 1) + of_b * of_b / (b.count - 1));
  return around(b.mean - a.mean, std::sqrt(both), freedom, confidence);
}

Interval pooled_interval(const Moments& a, const Moments& b, double confidence) {
  const double freedom = a.count + b.count - 2;
  const double variance = (a.squares + b.squares) / freedom * (1 / a.count + 1 / b.count);
  return around(b.mean - a.mean, std::sqrt(variance), freedom, confidence);
}

}  // namespace

Difference difference_of(const Samples& a, const Samples& b, bool in_pairs, double confidence) {
  Expects(!a.values.empty() && !b.values.empty());
  Expects(confidence > 0 && confidence < 1);
  const Moments of_a = moments_of(a.values);
  const Moments of_b = moments_of(b.values);
  const auto is_exact = [](const Samples& samples, const Moments& moments) {
    return samples.known && moments.squares == 0;
  };
  const bool exact_a = is_exact(a, of_a);
  const bool exact_b = is_exact(b, of_b);
  const double estimate = of_b.mean - of_a.mean;
  if (exact_a && exact_b) {
    return {estimate, Interval{estimate, estimate}, Difference::Method::exact};
  }
  const bool many_a = a.values.size() > 1;
  const bool many_b = b.values.size() > 1;
  if (exact_a || exact_b) {
    const Moments& measured = exact_a ? of_b : of_a;
    if (measured.count < 2) {
      return {estimate, std::nullopt, Difference::Method::none};
    }
    const double deviation = std::sqrt(measured.variance() / measured.count);
    return {estimate, around(estimate, deviation, measured.count - 1, confidence),
            Difference::Method::one_sample};
  }
  if (in_pairs && many_a && a.values.size() == b.values.size()) {
    return {estimate, paired_interval(a.values, b.values, confidence), Difference::Method::paired};
  }
  if (many_a && many_b) {
    return {estimate, welch_interval(of_a, of_b, confidence), Difference::Method::welch};
  }
  if (many_a || many_b) {
    return {estimate, pooled_interval(of_a, of_b, confidence), Difference::Method::pooled};
  }
  return {estimate, std::nullopt, Difference::Method::none};
}

}  // namespace spillway
