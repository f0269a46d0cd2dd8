#pragma once

#include <vector>

#include "core/ports.h"
#include "core/rng.h"
#include "sim/profile.h"

namespace spillway {

// The drive as it was measured, interpolated: a request that joins others in flight is done after the latency
// that was measured for its size at that load. The load is counted in requests of its own size: with
// 12 MB in flight, itself included, a request of 3 MB is the fourth. One that is smaller than those in flight
// are on average is taken for one of their size: it waits behind them, and a drive that is busy with large
// reads is not as slow as with as many bytes of small ones. Little's law makes a steady load come out at its
// measured bandwidth, and a batch submitted at once fills up as the depth does.
//
// Between measured sizes and depths the logarithm of the latency is interpolated linearly in both logarithms.
// Beyond the largest size or depth the drive is taken to be busy: latency grows in proportion. Below the
// smallest size it is constant.
class TableDevice final : public DeviceModel {
 public:
  struct Options {
    bool tail = true;

    template <class V>
    void visit(V& v) {
      v("tail", tail,
        "draw the speed of what is asked for at one time from the measured latencies, instead of their mean");
    }
  };

  // Fails unless `method.random` is a full grid of positive latencies.
  static Result<TableDevice> make(const AccessMethod& method, const Options& options, uint64_t seed);

  Nanoseconds finish(const IoRequest& request, Nanoseconds now) override;

  // Expected latency in ns of a request of `bytes` as the `load`-th in flight; load >= 1, may be a fraction.
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
  std::vector<LatencyQuantiles> spread_;  // [block][depth], by their own mean
  bool tail_ = true;
  Rng rng_{0};
  double luck_ = 0;  // of what is submitted at drawn_at_: from 0, the fastest, to 1
  Nanoseconds drawn_at_{-1};
  std::vector<InFlight> in_flight_;
  uint64_t bytes_in_flight_ = 0;
};

}  // namespace spillway
