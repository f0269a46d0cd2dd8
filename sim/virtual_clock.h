#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "core/ports.h"

namespace spillway {

// Something that will complete at an instant known beforehand.
struct EventSource {
  virtual ~EventSource() = default;

  // When the earliest of its completions that were not taken yet is due; nothing when none is under way.
  virtual std::optional<Nanoseconds> next_event() const = 0;
};

// Time that passes only when someone waits for it. The clock asks its sources how far it may go, so nobody
// has to keep it informed of what was added or taken away.
class VirtualClock final : public Clock {
 public:
  Nanoseconds now() const override { return now_; }
  void wait_until(Nanoseconds deadline) override;

  // Goes to `instant`, unless it is past already.
  void advance_to(Nanoseconds instant) {
    if (instant > now_) {
      now_ = instant;
    }
  }

  // wait_until() returns at the events of `source`, which must be unwatched before it dies.
  void watch(const EventSource& source) { sources_.push_back(&source); }
  void unwatch(const EventSource& source) { std::erase(sources_, &source); }

 private:
  Nanoseconds now_{0};
  std::vector<const EventSource*> sources_;
};

}  // namespace spillway
