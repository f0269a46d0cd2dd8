#include <algorithm>

#include "core/plugins.h"
#include "sim/devices/transfer_time.h"

namespace spillway::device {
namespace {

struct Options {
  BytesPerSecond bandwidth{3'600'000'000};
  Nanoseconds latency{80'000};

  template <class V>
  void visit(V& v) {
    v("bandwidth", bandwidth, "bandwidth of the link");
    v("latency", latency,
      "time from the link to the arrival of the last byte; latencies of requests overlap");
  }
};

// One link that carries one request after another, then a latency that all requests have but none waits for:
// the drive of the data sheet, in two parameters.
class Linear final : public DeviceModel {
 public:
  explicit Linear(const Options& options) : options_(options) {}

  Nanoseconds finish(const IoRequest& request, Nanoseconds now) override {
    link_free_ = std::max(now, link_free_) + transfer_time(request.range.bytes, options_.bandwidth);
    return link_free_ + options_.latency;
  }

 private:
  Options options_;
  Nanoseconds link_free_{0};
};

Result<std::unique_ptr<DeviceModel>> make(const Options& options, const DeviceEnv&) {
  // No drive lies beyond these limits, and a long run's sums would overflow 64-bit nanoseconds.
  if (options.bandwidth.count < 1'000'000 || options.latency > std::chrono::hours(1)) {
    return wrong_usage("linear: bandwidth must be at least 1MB/s and latency at most one hour");
  }
  return std::make_unique<Linear>(options);
}

}  // namespace

DevicePlugin linear() {
  return plugin("linear", "one link of a fixed bandwidth, then a fixed latency", make);
}

}  // namespace spillway::device
