#include <algorithm>

#include "core/plugins.h"
#include "sim/devices/transfer_time.h"

namespace spillway::device {
namespace {

struct Options {
  BytesPerSecond bandwidth{500'000'000};
  Nanoseconds burst{100'000'000};
  BytesPerSecond link{3'600'000'000};
  Nanoseconds latency{100'000};

  template <class V>
  void visit(V& v) {
    v("bandwidth", bandwidth, "average bandwidth in the long run");
    v("burst", burst, "longest idle time that accumulates burst credit");
    v("link", link, "bandwidth of the link, the limit even during a burst");
    v("latency", latency,
      "time from the link to the arrival of the last byte; latencies of requests overlap");
  }
};

// A token bucket before a link: the rate limit of volumes with burst credits, and of the kernel's block I/O
// controller. (On drives that it takes for rotating ones, the controller accumulates a tenth of a second of
// credit; on others a fiftieth, in Linux 6.18.) Bandwidth that a plain drive loses while nobody reads comes
// back here as a burst.
class Bucket final : public DeviceModel {
 public:
  explicit Bucket(const Options& options) : options_(options), empty_at_(-options.burst) {}

  Nanoseconds finish(const IoRequest& request, Nanoseconds now) override {
    // When the bucket would have been empty if all its credit had come in since then.
    empty_at_ =
        std::max(empty_at_, now - options_.burst) + transfer_time(request.range.bytes, options_.bandwidth);
    link_free_ = std::max({now, empty_at_, link_free_}) + transfer_time(request.range.bytes, options_.link);
    return link_free_ + options_.latency;
  }

 private:
  Options options_;
  Nanoseconds empty_at_;
  Nanoseconds link_free_{0};
};

Result<std::unique_ptr<DeviceModel>> make(const Options& options, const DeviceEnv&) {
  constexpr uint64_t kLeastRate = 1'000'000;
  if (options.bandwidth.count < kLeastRate || options.link.count < options.bandwidth.count) {
    return wrong_usage("bucket: bandwidth must be at least 1MB/s, and link at least bandwidth");
  }
  if (options.burst > std::chrono::hours(1) || options.latency > std::chrono::hours(1)) {
    return wrong_usage("bucket: burst and latency must be at most one hour");
  }
  return std::make_unique<Bucket>(options);
}

}  // namespace

DevicePlugin bucket() {
  return plugin("bucket", "a rate limit that accumulates burst credit, as cloud volumes have, then a link",
                make);
}

}  // namespace spillway::device
