#include "sim/simulated_backend.h"

#include <algorithm>
#include <span>

#include "core/expects.h"

namespace spillway {

SimulatedBackend::SimulatedBackend(std::unique_ptr<DeviceModel> device, VirtualClock& clock, Options options)
    : device_(std::move(device)), clock_(clock), tells_all_at_once_(options.tells_all_at_once) {
  Expects(device_ != nullptr && options.depth > 0);
  caps_.depth = options.depth;
  caps_.alignment = options.alignment;
  caps_.carries_bytes = false;
  caps_.note = "simulated";
  clock_.watch(*this);
}

SimulatedBackend::~SimulatedBackend() {
  clock_.unwatch(*this);
}

size_t SimulatedBackend::submit(std::span<const IoRequest> requests) {
  const size_t accepted = std::min<size_t>(requests.size(), caps_.depth - in_flight());
  for (const IoRequest& request : requests.first(accepted)) {
    const Nanoseconds finish = device_->finish(request, clock_.now());
    Ensures(finish >= clock_.now());
    // Most devices finish in the order of submission, or nearly, so the search soon ends.
    size_t place = pending_.size();
    pending_.push_back({finish, request.tag});
    for (; place > reaped_ && pending_[place - 1].finish > finish; --place) {
      std::swap(pending_[place - 1], pending_[place]);
    }
  }
  if (tells_all_at_once_ && accepted > 0) {
    withhold_completions();
  }
  return accepted;
}

// Delays all completions that are not due yet until the last of them is.
void SimulatedBackend::withhold_completions() {
  const Nanoseconds last = pending_.back().finish;
  for (Pending& one : std::span(pending_).subspan(reaped_)) {
    if (one.finish > clock_.now()) {
      one.finish = last;
    }
  }
}

size_t SimulatedBackend::reap(std::span<IoDone> out, size_t at_least) {
  Expects(at_least <= in_flight() && at_least <= out.size());
  size_t count = 0;
  for (; count < out.size() && in_flight() > 0; ++reaped_) {
    const Pending& next = pending_[reaped_];
    if (count < at_least) {
      clock_.advance_to(next.finish);
    } else if (next.finish > clock_.now()) {
      break;
    }
    out[count++] = {.tag = next.tag};
  }
  if (in_flight() == 0) {
    pending_.clear();
    reaped_ = 0;
  } else if (reaped_ >= caps_.depth) {
    pending_.erase(pending_.begin(), pending_.begin() + ptrdiff_t(reaped_));
    reaped_ = 0;
  }
  return count;
}

std::optional<Nanoseconds> SimulatedBackend::next_event() const {
  if (in_flight() == 0) {
    return std::nullopt;
  }
  return pending_[reaped_].finish;
}

}  // namespace spillway
