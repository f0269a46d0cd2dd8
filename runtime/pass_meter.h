#pragma once

#include <algorithm>

#include "core/ports.h"

namespace spillway {

// Notices where one forward pass ends and the next begins, and reports the one that ended.
class PassMeter {
 public:
  explicit PassMeter(Observer& observer) : observer_(observer) {}

  // Does `step` belong to another pass than the one under way?
  bool begins_pass(const Step& step) const { return !open_ || step.pass != pass_; }

  // `step` is next, since `now`.
  void enter(const Step& step, Nanoseconds now) {
    if (begins_pass(step)) {
      close(now);
      open_ = true;
      pass_ = step.pass;
      start_ = now;
      event_ = {.kind = EventKind::pass, .phase = step.phase, .tokens = 0, .step = step.index, .start = now};
    }
    // A prefill's last layer may be run for its last token only.
    event_.tokens = std::max(event_.tokens, step.tokens);
  }

  // No step of the pass under way is left.
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
