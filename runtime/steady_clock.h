#pragma once

#include <chrono>

#include "core/ports.h"

namespace spillway {

// Real time. Waits in short sleeps, so that the session can pump I/O in between. Spins over the last stretch,
// for which the kernel's timers are too coarse.
class SteadyClock final : public Clock {
 public:
  SteadyClock();
  Nanoseconds now() const override { return std::chrono::steady_clock::now() - start_; }
  void wait_until(Nanoseconds deadline) override;

  // Sets the clock back by `span`, for time that is not part of the run.
  void forget(Nanoseconds span) { start_ += span; }

 private:
  std::chrono::steady_clock::time_point start_;
};

}  // namespace spillway
