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
    v("bandwidth", bandwidth, "what the link carries");
    v("latency", latency, "from the last byte's place on the link to its arrival; requests overlap in it");
  }
};

// One link that carries one request after another, and a latency that they all have but none waits for: the
// drive of the data sheet, and the least that two parameters can say.
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
  // Beyond these no drive is meant, and the sums of a long run would leave 64-bit nanoseconds.
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
