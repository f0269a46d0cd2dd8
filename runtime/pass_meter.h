#pragma once

#include <algorithm>

#include "core/ports.h"

namespace spillway {

// Detects where one forward pass ends and the next begins, and reports the one that ended.
class PassMeter {
 public:
  explicit PassMeter(Observer& observer) : observer_(observer) {}

  // Returns true if `step` belongs to another pass than the one under way.
  bool begins_pass(const Step& step) const { return !open_ || step.pass != pass_; }

  // Takes the next step, which began at `now`.
  void enter(const Step& step, Nanoseconds now) {
    if (begins_pass(step)) {
      close(now);
      open_ = true;
      pass_ = step.pass;
      start_ = now;
      event_ = {.kind = EventKind::pass, .phase = step.phase, .tokens = 0, .step = step.index, .start = now};
    }
    // The last layer of a prefill may be run for the last token only, so the largest count is kept.
    event_.tokens = std::max(event_.tokens, step.tokens);
  }

  // Ends the pass under way, if there is one.
  void close(Nanoseconds now) {
    if (open_) {
      event_.duration = now - start_;
      observer_.on(event_);
      open_ = false;
    }
  }

 private:
  Observer& observer_;
  Event event_;
  Nanoseconds start_{0};
  uint64_t pass_ = 0;
  bool open_ = false;
};

}  // namespace spillway
