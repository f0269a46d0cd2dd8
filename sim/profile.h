#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/units.h"

namespace spillway {

// The shares of requests at which a latency distribution is kept: fastest, median, tail, slowest.
inline constexpr std::array<double, 8> kLatencyQuantiles = {0, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 1};

// The values of a distribution at those shares; between them it is taken as linear.
using LatencyQuantiles = std::array<double, kLatencyQuantiles.size()>;

// Measurement of a drive with `depth` reads of one size always in flight.
struct LoadPoint {
  uint64_t block_bytes = 0;
  uint32_t depth = 0;
  double bytes_per_s = 0;  // median of the rounds
  // Low and high: a 95 % bootstrap interval of that median; with fewer than six rounds, their range.
  double bytes_per_s_low = 0;
  double bytes_per_s_high = 0;
  double mean_latency_ns = 0;  // from submission to completion, all rounds together
  LatencyQuantiles latency_ns{};
  double cpu_s_per_gb = 0;  // user and system time of the whole process
  uint64_t requests = 0;
};

// A way to read a drive: the backend, and the state of the page cache.
struct AccessMethod {
  std::string name;     // `uring`, `pread cold`
  std::string backend;  // the backend with all its options
  uint32_t depth = 1;   // requests that the backend accepts at a time
  uint64_t alignment = 1;
  std::vector<LoadPoint> random;  // a full grid: every block size at every depth, in that order
  std::vector<LoadPoint> sequential;
  // True if the drive reports completions only once it is idle: some virtual disks
  // raise an interrupt only then.
  bool tells_all_at_once = false;
};

// A device model whose parameters were fitted to a method's random reads.
struct FittedModel {
  std::string model;        // `linear`
  std::string spec;         // with its options
  double median_error = 0;  // of the bandwidth, over the points: |modelled / measured - 1|
};

// The result of `spillway calibrate`, from which simulated drives are made.
struct DeviceProfile {
  std::string name;
  std::string source;  // the origin of the figures: a run here, or a publication
  std::string device;  // the kernel's name for the drive
  std::string date;
  std::vector<AccessMethod> methods;
  double burst_bytes_per_s = 0;      // large direct reads, at the start of a series; 0: not measured
  double sustained_bytes_per_s = 0;  // large direct reads, later in the series
  double copy_bytes_per_s = 0;       // memory to memory, one core
  // Median over the points of (high - low) / median of their rounds; 0: unknown, as there was one round.
  double noise = 0;
  std::vector<FittedModel> fits;  // fitted to the first of `methods`
};

}  // namespace spillway
