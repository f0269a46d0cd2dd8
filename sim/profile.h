#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/units.h"

namespace spillway {

// The shares of requests at which a latency distribution is kept: fastest, median, tail, slowest.
inline constexpr std::array<double, 8> kLatencyQuantiles = {0, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 1};

// Values at those shares of a distribution; between them it is taken as linear.
using LatencyQuantiles = std::array<double, kLatencyQuantiles.size()>;

// What a drive did with reads of one size, so many of them kept in flight all the time.
struct LoadPoint {
  uint64_t block_bytes = 0;
  uint32_t depth = 0;
  double bytes_per_s = 0;  // median of the rounds
  double bytes_per_s_low =
      0;  // a 95 % bootstrap interval of that median; of fewer than six rounds, their range
  double bytes_per_s_high = 0;
  double mean_latency_ns = 0;  // from submission to completion, all rounds together
  LatencyQuantiles latency_ns{};
  double cpu_s_per_gb = 0;  // user and system time of the whole process
  uint64_t requests = 0;
};

// One way to read a drive: which backend, and what the page cache held.
struct AccessMethod {
  std::string name;     // `uring`, `pread cold`
  std::string backend;  // the backend with its options spelled out
  uint32_t depth = 1;   // requests it takes at a time
  uint64_t alignment = 1;
  std::vector<LoadPoint> random;  // a full grid: every block size at every depth, in that order
  std::vector<LoadPoint> sequential;
  // No read is told of before the drive has nothing left to do: some virtual disks interrupt only then.
  bool tells_all_at_once = false;
};

// A device model whose parameters were fitted to a method's random reads.
struct FittedModel {
  std::string model;        // `linear`
  std::string spec;         // with its options
  double median_error = 0;  // over the points, |modelled / measured - 1| of the bandwidth
};

// What `spillway calibrate` writes and simulations are made of.
struct DeviceProfile {
  std::string name;
  std::string source;  // where the figures come from: a run here, or a publication
  std::string device;  // what the kernel calls it
  std::string date;
  std::vector<AccessMethod> methods;
  double burst_bytes_per_s = 0;      // large direct reads, the first of a series; 0: not measured
  double sustained_bytes_per_s = 0;  // the same later on
  double copy_bytes_per_s = 0;       // memory to memory, one core
  double noise =
      0;  // 0: of one round, not known; else median over points of (high - low) / median of their rounds
  std::vector<FittedModel> fits;  // to the first of `methods`
};

}  // namespace spillway
