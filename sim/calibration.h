#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/ports.h"
#include "sim/profile.h"

// The analysis of what `calibrate` measures.
namespace spillway {

struct MedianInterval {
  double low = 0;
  double middle = 0;
  double high = 0;
};

// Returns the median of `values` and a 95 % interval of it by the percentile bootstrap (Efron and Tibshirani,
// "An Introduction to the Bootstrap", 1993, chapter 13) with 1000 resamples. `values` must not be empty. The
// same seed gives the same interval.
MedianInterval bootstrap_median(std::span<const double> values, uint64_t seed);

// Fills in the latency fields of `point` from the latencies in ns: at least one, in any order.
void summarise_latency(std::span<double> latencies_ns, LoadPoint& point);

// Returns the mean of a distribution's values up to the share `share`, which is above 0 and one of
// kLatencyQuantiles.
double mean_up_to(double share, const LatencyQuantiles& values);

// Returns the bytes per second that a model delivers in the steady state, with `depth` reads of `block` bytes
// at random places always in flight. At least `least_settling` reads come before the measurement.
double steady_bandwidth(DeviceModel& device, uint64_t block, uint32_t depth, uint64_t least_settling = 0);

// Fit the parameters of a model to a method's measured random reads. Both fail when the method has fewer than
// three sizes at depth 1.
// `linear`: the bandwidth is the highest measured one; the latency is the intercept of a robust line
// (bisquare weights) through latency against size at depth 1.
// `queueing`: a simplex search (Nelder and Mead) over the logarithms of the parameters, which begins from
// those of `linear`.
Result<FittedModel> fit_linear(const AccessMethod& method);
Result<FittedModel> fit_queueing(const AccessMethod& method);

}  // namespace spillway
