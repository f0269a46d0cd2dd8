#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/ports.h"
#include "sim/profile.h"

// What calibrate makes of its measurements.
namespace spillway {

struct MedianInterval {
  double low = 0;
  double middle = 0;
  double high = 0;
};

// The median and a 95 % interval of it by the percentile bootstrap (Efron and Tibshirani, "An Introduction to
// the Bootstrap", 1993, chapter 13), 1000 resamples. `values` must not be empty. Same seed, same interval.
MedianInterval bootstrap_median(std::span<const double> values, uint64_t seed);

// Fills in what `point` says of latency from the latencies in ns, at least one, in any order.
void summarise_latency(std::span<double> latencies_ns, LoadPoint& point);

// The mean of a distribution's values up to the share `share`, which is one of kLatencyQuantiles, above 0.
double mean_up_to(double share, const LatencyQuantiles& values);

// What a model delivers with `depth` reads of `block` bytes at random places always in flight, once it has
// settled, in bytes per second. It is given at least `least_settling` reads for that.
double steady_bandwidth(DeviceModel& device, uint64_t block, uint32_t depth, uint64_t least_settling = 0);

// Parameters of each model by a method's measured random reads. `linear`: the highest bandwidth, and where a
// robust line (bisquare weights) through latency against size at depth 1 begins. `queueing`: from there by a
// simplex search (Nelder and Mead) over the logarithms of its parameters for `queueing`. Fails when the
// method has too few points: three sizes at depth 1.
Result<FittedModel> fit_linear(const AccessMethod& method);
Result<FittedModel> fit_queueing(const AccessMethod& method);

}  // namespace spillway
