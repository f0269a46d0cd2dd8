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
    v("bandwidth", bandwidth, "what it gives in the long run");
    v("burst", burst, "how much of that an idle time saves up at most");
    v("link", link, "what carries the bytes, however much was saved up");
    v("latency", latency, "from the last byte's place on the link to its arrival; requests overlap in it");
  }
};

// A token bucket before a link: the limit of volumes with burst credits, and of the kernel's block I/O
// controller (which saves up what a tenth of a second brings on drives it takes for rotating ones, on others
// a fiftieth in Linux 6.18). What a drive of that bandwidth would lose while nobody reads, this one gives
// back in a burst.
class Bucket final : public DeviceModel {
 public:
  explicit Bucket(const Options& options) : options_(options), empty_at_(-options.burst) {}

  Nanoseconds finish(const IoRequest& request, Nanoseconds now) override {
    // As if all that is in it had come in since then.
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
  return plugin("bucket", "a rate limit that saves up for bursts, as of volumes with credits, then a link",
                make);
}

}  // namespace spillway::device
