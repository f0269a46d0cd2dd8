#include "sim/devices/stripe.h"

#include <algorithm>

#include "core/expects.h"

namespace spillway {

StripeDevice::StripeDevice(std::vector<std::unique_ptr<DeviceModel>> drives, uint64_t chunk_bytes)
    : drives_(std::move(drives)), chunk_bytes_(chunk_bytes) {
  Expects(!drives_.empty() && chunk_bytes_ > 0);
}

Nanoseconds StripeDevice::finish(const IoRequest& request, Nanoseconds now) {
  const uint64_t begin = request.range.offset;
  const uint64_t end = begin + std::max<uint64_t>(request.range.bytes, 1);
  const uint64_t first = begin / chunk_bytes_;
  const uint64_t last = (end - 1) / chunk_bytes_;
  const uint64_t count = drives_.size();
  Nanoseconds done = now;
  // Visits each drive that the request touches once, by the request's first chunk on it; the further chunks
  // on that drive are `count` chunks apart.
  for (uint64_t chunk = first; chunk <= last && chunk < first + count; ++chunk) {
    const uint64_t own = (last - chunk) / count + 1;
    const uint64_t own_last = chunk + (own - 1) * count;
    uint64_t bytes = own * chunk_bytes_;
    bytes -= chunk == first ? begin - first * chunk_bytes_ : 0;
    bytes -= own_last == last ? (last + 1) * chunk_bytes_ - end : 0;
    const uint64_t offset = chunk / count * chunk_bytes_ + (chunk == first ? begin % chunk_bytes_ : 0);
    const IoRequest part{request.tag, {request.range.file, offset, bytes}, nullptr};
    done = std::max(done, drives_[chunk % count]->finish(part, now));
  }
  return done;
}

}  // namespace spillway
