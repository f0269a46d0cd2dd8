#include "sim/simulated_backend.h"

#include <algorithm>
#include <tuple>

#include "core/expects.h"

namespace spillway {

SimulatedBackend::SimulatedBackend(std::unique_ptr<DeviceModel> device, VirtualClock& clock, Options options)
    : device_(std::move(device)), clock_(clock) {
  Expects(device_ != nullptr && options.depth > 0);
  caps_.depth = options.depth;
  caps_.alignment = options.alignment;
  caps_.carries_bytes = false;
  caps_.note = "simulated";
  pending_.reserve(std::min(options.depth, 1024U));  // whatever the depth claims
  clock_.watch(*this);
}

SimulatedBackend::~SimulatedBackend() {
  clock_.unwatch(*this);
}

size_t SimulatedBackend::submit(std::span<const IoRequest> requests) {
  const size_t accepted = std::min<size_t>(requests.size(), caps_.depth - pending_.size());
  for (const IoRequest& request : requests.first(accepted)) {
    const Nanoseconds finish = device_->finish(request, clock_.now());
    Ensures(finish >= clock_.now());
    pending_.push_back({finish, submissions_++, request.tag});
    std::push_heap(pending_.begin(), pending_.end(), later);
  }
  return accepted;
}

size_t SimulatedBackend::reap(std::span<IoDone> out, size_t at_least) {
  Expects(at_least <= pending_.size() && at_least <= out.size());
  size_t count = 0;
  while (count < out.size() && !pending_.empty()) {
    if (count < at_least) {
      clock_.advance_to(pending_.front().finish);
    } else if (pending_.front().finish > clock_.now()) {
      break;
    }
    std::pop_heap(pending_.begin(), pending_.end(), later);
    out[count++] = {.tag = pending_.back().tag};
    pending_.pop_back();
  }
  return count;
}

bool SimulatedBackend::later(const Pending& a, const Pending& b) {
  return std::tie(a.finish, a.submission) > std::tie(b.finish, b.submission);
}

std::optional<Nanoseconds> SimulatedBackend::next_event() const {
  if (pending_.empty()) {
    return std::nullopt;
  }
  return pending_.front().finish;
}

}  // namespace spillway
