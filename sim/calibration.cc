#include "sim/calibration.h"

#include <gsl/gsl_errno.h>
#include <gsl/gsl_multifit.h>
#include <gsl/gsl_multimin.h>
#include <gsl/gsl_statistics_double.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "core/expects.h"
#include "core/rng.h"
#include "sim/list.h"

namespace spillway {
namespace {

struct FreeGsl {
  void operator()(gsl_vector* it) const { gsl_vector_free(it); }
  void operator()(gsl_matrix* it) const { gsl_matrix_free(it); }
  void operator()(gsl_multifit_robust_workspace* it) const { gsl_multifit_robust_free(it); }
  void operator()(gsl_multimin_fminimizer* it) const { gsl_multimin_fminimizer_free(it); }
};
template <class T>
using Gsl = std::unique_ptr<T, FreeGsl>;

// Switches off GSL's own handler, which ends the program on any error, even for a fit that did not converge.
// The results of the functions are enough to go by.
class QuietGsl {
 public:
  QuietGsl() : before_(gsl_set_error_handler_off()) {}
  ~QuietGsl() { gsl_set_error_handler(before_); }
  QuietGsl(const QuietGsl&) = delete;
  QuietGsl& operator=(const QuietGsl&) = delete;

 private:
  gsl_error_handler_t* before_;
};

double median_of(std::vector<double>& values) {
  std::sort(values.begin(), values.end());
  return gsl_stats_median_from_sorted_data(values.data(), 1, values.size());
}

std::unique_ptr<DeviceModel> make_model(const DeviceChoice& model) {
  Result<std::unique_ptr<DeviceModel>> made = model.make({});
  Ensures(made.has_value());  // the fits below stay within what the models accept
  return std::move(*made);
}

double median_error(const std::string& spec, const AccessMethod& method) {
  const DeviceChoice model = device_models().known(spec);
  std::vector<double> errors;
  for (const LoadPoint& point : method.random) {
    const double modelled = steady_bandwidth(*make_model(model), point.block_bytes, point.depth);
    errors.push_back(std::abs(modelled / point.bytes_per_s - 1));
  }
  return median_of(errors);
}

// Returns the intercept of a line through latency against size at depth 1. Errors grow with the latency, so
// each point is weighted by its inverse.
Result<double> latency_at_zero(const AccessMethod& method) {
  std::vector<const LoadPoint*> alone;
  for (const LoadPoint& point : method.random) {
    if (point.depth == 1) {
      alone.push_back(&point);
    }
  }
  if (alone.size() < 3) {
    return failed("'{}' has {} sizes at depth 1, but a fit needs three", method.name, alone.size());
  }
  const QuietGsl quiet;
  const Gsl<gsl_matrix> terms(gsl_matrix_alloc(alone.size(), 2));
  const Gsl<gsl_vector> latency(gsl_vector_alloc(alone.size()));
  for (size_t i = 0; i < alone.size(); ++i) {
    const double weight = 1 / alone[i]->mean_latency_ns;
    gsl_matrix_set(terms.get(), i, 0, weight);
    gsl_matrix_set(terms.get(), i, 1, weight * double(alone[i]->block_bytes));
    gsl_vector_set(latency.get(), i, 1);
  }
  const Gsl<gsl_vector> found(gsl_vector_alloc(2));
  const Gsl<gsl_matrix> covariance(gsl_matrix_alloc(2, 2));
  const Gsl<gsl_multifit_robust_workspace> work(
      gsl_multifit_robust_alloc(gsl_multifit_robust_bisquare, alone.size(), 2));
  // The function reports a fit that has not converged after a hundred rounds. Its line is then still the best
  // so far, so the report is ignored.
  gsl_multifit_robust(terms.get(), latency.get(), found.get(), covariance.get(), work.get());
  return std::max(0.0, gsl_vector_get(found.get(), 0));
}

double highest_bandwidth(const AccessMethod& method) {
  double best = 0;
  for (const LoadPoint& point : method.random) {
    best = std::max(best, point.bytes_per_s);
  }
  return best;
}

// The search for a queueing model's parameters: logarithms of access, channel_bandwidth, link and overhead.
struct QueueingSearch {
  const AccessMethod* method;
  uint32_t channels;
  uint64_t unit;

  std::string spec(const gsl_vector* logs) const {
    const auto value = [&](size_t i, double least, double most) {
      return uint64_t(std::clamp(std::exp(gsl_vector_get(logs, i)), least, most));
    };
    return fmt::format(
        "queueing:channels={},unit={},access={}ns,channel_bandwidth={}B/s,link={}B/"
        "s,overhead={}ns,latency=0ns",
        channels, unit, value(0, 1, 1e9), value(1, 1e6, 1e12), value(2, 1e6, 1e12), value(3, 1, 1e9));
  }

  // Returns the mean of the squared log ratios: twice as fast counts as much as half as fast.
  static double error(const gsl_vector* logs, void* self) {
    const auto& search = *static_cast<const QueueingSearch*>(self);
    const DeviceChoice model = device_models().known(search.spec(logs));
    double sum = 0;
    for (const LoadPoint& point : search.method->random) {
      const double modelled = steady_bandwidth(*make_model(model), point.block_bytes, point.depth);
      const double ratio = std::log(modelled / point.bytes_per_s);
      sum += ratio * ratio;
    }
    return sum / double(search.method->random.size());
  }
};

struct Found {
  double error = 0;
  std::string spec;
};

Found search_from(QueueingSearch& search, const std::array<double, 4>& start) {
  constexpr int kSteps = 60;
  const QuietGsl quiet;
  const Gsl<gsl_vector> at(gsl_vector_alloc(start.size()));
  const Gsl<gsl_vector> stride(gsl_vector_alloc(start.size()));
  for (size_t i = 0; i < start.size(); ++i) {
    gsl_vector_set(at.get(), i, std::log(start[i]));
    gsl_vector_set(stride.get(), i, 0.5);
  }
  gsl_multimin_function function{&QueueingSearch::error, start.size(), &search};
  const Gsl<gsl_multimin_fminimizer> minimiser(
      gsl_multimin_fminimizer_alloc(gsl_multimin_fminimizer_nmsimplex2, start.size()));
  gsl_multimin_fminimizer_set(minimiser.get(), &function, at.get(), stride.get());
  for (int step = 0; step < kSteps && gsl_multimin_fminimizer_iterate(minimiser.get()) == 0; ++step) {
  }
  return {gsl_multimin_fminimizer_minimum(minimiser.get()),
          search.spec(gsl_multimin_fminimizer_x(minimiser.get()))};
}

}  // namespace

MedianInterval bootstrap_median(std::span<const double> values, uint64_t seed) {
  constexpr size_t kResamples = 1000;
  Expects(!values.empty());
  std::vector<double> sample(values.begin(), values.end());
  const double middle = median_of(sample);
  Rng rng(seed);
  std::vector<double> medians;
  for (size_t i = 0; i < kResamples; ++i) {
    for (double& one : sample) {
      one = values[rng.below(values.size())];
    }
    medians.push_back(median_of(sample));
  }
  std::sort(medians.begin(), medians.end());
  return {gsl_stats_quantile_from_sorted_data(medians.data(), 1, medians.size(), 0.025), middle,
          gsl_stats_quantile_from_sorted_data(medians.data(), 1, medians.size(), 0.975)};
}

void summarise_latency(std::span<double> latencies_ns, LoadPoint& point) {
  Expects(!latencies_ns.empty());
  std::sort(latencies_ns.begin(), latencies_ns.end());
  point.mean_latency_ns = gsl_stats_mean(latencies_ns.data(), 1, latencies_ns.size());
  for (size_t i = 0; i < kLatencyQuantiles.size(); ++i) {
    point.latency_ns[i] = gsl_stats_quantile_from_sorted_data(latencies_ns.data(), 1, latencies_ns.size(),
                                                              kLatencyQuantiles[i]);
  }
  point.requests = latencies_ns.size();
}

double mean_up_to(double share, const LatencyQuantiles& values) {
  double sum = 0;
  for (size_t i = 1; i < values.size() && kLatencyQuantiles[i] <= share; ++i) {
    sum += (kLatencyQuantiles[i] - kLatencyQuantiles[i - 1]) * (values[i] + values[i - 1]) / 2;
  }
  return sum / share;
}

double steady_bandwidth(DeviceModel& device, uint64_t block, uint32_t depth, uint64_t least_settling) {
  constexpr uint64_t kPlaces = 4096;
  const uint64_t settling = std::max<uint64_t>(2 * depth, least_settling);
  const uint64_t counted = 4 * uint64_t(depth) + 16;
  Rng rng(block);
  std::vector<Nanoseconds> in_flight;  // a heap, the first to finish in front
  Nanoseconds now{0};
  Nanoseconds settled{0};
  for (uint64_t i = 0; i < settling + counted; ++i) {
    if (in_flight.size() == depth) {
      std::pop_heap(in_flight.begin(), in_flight.end(), std::greater<>());
      now = std::max(now, in_flight.back());
      in_flight.pop_back();
    }
    if (i == settling) {
      settled = now;
    }
    in_flight.push_back(device.finish({i, {0, rng.below(kPlaces) * block, block}, nullptr}, now));
    std::push_heap(in_flight.begin(), in_flight.end(), std::greater<>());
  }
  // From the first instant to the second, one read fewer completes than is submitted.
  return double((counted - 1) * block) / std::max(1e-9, seconds(now - settled));
}

Result<FittedModel> fit_linear(const AccessMethod& method) {
  Result<double> latency = latency_at_zero(method);
  if (!latency) {
    return propagate(latency);
  }
  FittedModel fit;
  fit.model = "linear";
  fit.spec = fmt::format("linear:bandwidth={}B/s,latency={}ns",
                         uint64_t(std::max(1e6, highest_bandwidth(method))), uint64_t(*latency));
  fit.median_error = median_error(fit.spec, method);
  return fit;
}

Result<FittedModel> fit_queueing(const AccessMethod& method) {
  Result<double> latency = latency_at_zero(method);
  if (!latency) {
    return propagate(latency);
  }
  const double best = highest_bandwidth(method);
  const double access = std::max(1000.0, *latency);
  Found found{std::numeric_limits<double>::infinity(), {}};
  for (const uint32_t channels : {1U, 4U, 16U, 64U}) {
    for (const uint64_t unit : {128 * kKiB, 512 * kKiB}) {
      QueueingSearch search{&method, channels, unit};
      const Found here = search_from(search, {access, 2 * best / channels, best, access / 32});
      found = here.error < found.error ? here : found;
    }
  }
  return FittedModel{"queueing", found.spec, median_error(found.spec, method)};
}

}  // namespace spillway
