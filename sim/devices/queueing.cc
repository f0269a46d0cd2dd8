#include <algorithm>
#include <utility>
#include <vector>

#include "core/plugins.h"
#include "core/rng.h"
#include "sim/devices/transfer_time.h"

namespace spillway::device {
namespace {

struct Options {
  uint32_t channels = 8;
  Bytes unit{128 * kKiB};
  Nanoseconds access{60'000};
  BytesPerSecond channel_bandwidth{1'200'000'000};
  BytesPerSecond link{7'000'000'000};
  Nanoseconds overhead{2'000};
  Nanoseconds latency{10'000};
  double tail_share = 0;
  Nanoseconds tail_time{2'000'000};

  template <class V>
  void visit(V& v) {
    v("channels", channels, "number of channels, the parts of the drive that read at the same time");
    v("unit", unit, "bytes in a row on one channel before the next channel's begin");
    v("access", access, "time of a channel before the first byte of a unit");
    v("channel_bandwidth", channel_bandwidth, "bandwidth of one channel once it reads");
    v("link", link,
      "bandwidth of the bus to the host, which all channels share; it carries units in the order in which "
      "they were requested");
    v("overhead", overhead, "time of the controller per request; requests wait for each other there");
    v("latency", latency, "time of the way to the drive and back; latencies of requests overlap");
    v("tail_share", tail_share, "share of requests that are held up by housekeeping, 0 to 1");
    v("tail_time", tail_time,
      "time by which such a request is held up on its first channel; later requests wait behind it on the "
      "link");
  }
};

// The parts of a flash drive: a controller that takes requests one by one, channels that read units in
// parallel, and a link that they share. A queue forms at each part, in the order of submission: a controller
// with that few slots does not reorder. A large read is fast because its units lie on different channels; two
// reads collide where their units lie on the same channel. The structure is that of MQSim (Tavakkol et al.,
// FAST 2018) without the parts that do not affect reads.
class Queueing final : public DeviceModel {
 public:
  Queueing(const Options& options, uint64_t seed)
      : options_(options), channel_free_(options.channels, Nanoseconds(0)), rng_(seed) {}

  Nanoseconds finish(const IoRequest& request, Nanoseconds now) override {
    controller_free_ = std::max(now, controller_free_) + options_.overhead;
    Nanoseconds held_up{0};
    if (options_.tail_share > 0 && rng_.uniform() < options_.tail_share) {
      held_up = options_.tail_time;
    }
    const uint64_t unit = options_.unit.count;
    const uint64_t end = request.range.offset + std::max<uint64_t>(request.range.bytes, 1);
    Nanoseconds done = controller_free_;
    for (uint64_t at = request.range.offset; at < end;) {
      const uint64_t bytes = std::min(end, (at / unit + 1) * unit) - at;
      Nanoseconds& channel = channel_free_[at / unit % options_.channels];
      channel = std::max(channel, controller_free_) + std::exchange(held_up, Nanoseconds(0)) +
                options_.access + transfer_time(bytes, options_.channel_bandwidth);
      link_free_ = std::max(link_free_, channel) + transfer_time(bytes, options_.link);
      done = std::max(done, link_free_);
      at += bytes;
    }
    return done + options_.latency;
  }

 private:
  Options options_;
  Nanoseconds controller_free_{0};
  Nanoseconds link_free_{0};
  std::vector<Nanoseconds> channel_free_;
  Rng rng_;
};

Result<std::unique_ptr<DeviceModel>> make(const Options& options, const DeviceEnv& env) {
  // No drive lies beyond these limits, and a long run's sums would overflow 64-bit nanoseconds.
  constexpr uint64_t kLeastRate = 100'000;
  const Nanoseconds longest = std::chrono::seconds(10);
  if (options.channels == 0 || options.channels > 4096 || options.unit.count < 4096 ||
      options.unit.count > kGiB) {
    return wrong_usage("queueing: channels must be 1 to 4096 and unit 4 KiB to 1 GiB");
  }
  if (options.link.count < kLeastRate || options.channel_bandwidth.count < kLeastRate) {
    return wrong_usage("queueing: link and channel_bandwidth must be at least 100kB/s");
  }
  if (std::max({options.access, options.overhead, options.latency, options.tail_time}) > longest) {
    return wrong_usage("queueing: no time may be longer than 10 s");
  }
  if (options.tail_share > 1) {
    return wrong_usage("queueing: tail_share must be from 0 to 1, not {}", options.tail_share);
  }
  return std::make_unique<Queueing>(options, env.seed);
}

}  // namespace

DevicePlugin queueing() {
  return plugin("queueing", "a controller, parallel channels and the link they share", make);
}

}  // namespace spillway::device
