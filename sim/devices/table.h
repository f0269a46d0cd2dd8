#pragma once

#include <vector>

#include "core/ports.h"
#include "core/rng.h"
#include "sim/profile.h"

namespace spillway {

// A drive as it was measured, interpolated. A request takes the latency that was measured for its size at the
// load that it meets. The load is counted in requests of the same size: with 12 MB in flight, itself
// included, a request of 3 MB is the fourth. A request smaller than the mean of those in flight is treated as
// one of that mean size: it waits behind the others, and a drive that is busy with large reads is faster than
// one with as many bytes of small reads. By Little's law, a steady load comes out at its measured bandwidth.
// In a batch submitted at once, each request meets the load of those before it.
//
// Between measured sizes and depths, the logarithm of the latency is interpolated linearly in both
// logarithms. Beyond the largest size or depth, the drive counts as saturated: latency grows in proportion.
// Below the smallest size, latency is constant.
class TableDevice final : public DeviceModel {
 public:
  struct Options {
    bool tail = true;

    template <class V>
    void visit(V& v) {
      v("tail", tail,
        "draw latencies at random from the measured distribution, once for all requests of an instant; off: "
        "use "
        "the mean");
    }
  };

  // Fails unless `method.random` is a full grid of positive latencies.
  static Result<TableDevice> make(const AccessMethod& method, const Options& options, uint64_t seed);

  Nanoseconds finish(const IoRequest& request, Nanoseconds now) override;

  // Returns the expected latency in ns of a request of `bytes` that is number `load` in flight; `load` is at
  // least 1 and may be a fraction.
  double latency_ns(double bytes, double load) const;

 private:
  struct InFlight {
    Nanoseconds finish;
    uint64_t bytes;
  };

  TableDevice() = default;
  double tail_factor(double bytes, double load) const;

  std::vector<double> blocks_;            // log2, ascending
  std::vector<double> depths_;            // log2, ascending
  std::vector<double> log_latency_;       // [block][depth], log2 of ns
  std::vector<LatencyQuantiles> spread_;  // [block][depth], divided by their mean
  bool tail_ = true;
  Rng rng_{0};
  double luck_ = 0;  // of the requests submitted at drawn_at_: from 0, the fastest, to 1
  Nanoseconds drawn_at_{-1};
  std::vector<InFlight> in_flight_;
  uint64_t bytes_in_flight_ = 0;
};

}  // namespace spillway
