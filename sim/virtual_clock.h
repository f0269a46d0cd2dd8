#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "core/ports.h"

namespace spillway {

// A source of completions whose instants are known beforehand.
struct EventSource {
  virtual ~EventSource() = default;

  // Returns the instant of the earliest completion that was not reaped yet; nothing when there is none.
  virtual std::optional<Nanoseconds> next_event() const = 0;
};

// Time that passes only when someone waits for it. The clock asks its sources how far it may go, so sources
// need not report each change to it.
class VirtualClock final : public Clock {
 public:
  Nanoseconds now() const override { return now_; }
  void wait_until(Nanoseconds deadline) override;

  // Advances to `instant` unless it is in the past.
  void advance_to(Nanoseconds instant) {
    if (instant > now_) {
      now_ = instant;
    }
  }

  // Makes wait_until() return at the events of `source`, which must be unwatched before it is destroyed.
  void watch(const EventSource& source) { sources_.push_back(&source); }
  void unwatch(const EventSource& source) { std::erase(sources_, &source); }

 private:
  Nanoseconds now_{0};
  std::vector<const EventSource*> sources_;
};

}  // namespace spillway
