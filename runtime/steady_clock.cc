#include "runtime/steady_clock.h"

#include <sys/prctl.h>

#include <algorithm>
#include <ctime>

namespace spillway {
namespace {

constexpr Nanoseconds kLongestSleep{200'000};
constexpr Nanoseconds kSpin{100'000};

}  // namespace

SteadyClock::SteadyClock() : start_(std::chrono::steady_clock::now()) {
  // The default timer slack of 50 us would make every sleep end late.
  prctl(PR_SET_TIMERSLACK, 1000UL);
}

void SteadyClock::wait_until(Nanoseconds deadline) {
  const Nanoseconds left = deadline - now();
  if (left > kSpin) {
    const timespec sleep{0, long(std::min(left - kSpin, kLongestSleep).count())};
    nanosleep(&sleep, nullptr);
    return;
  }
  while (now() < deadline) {
  }
}

}  // namespace spillway
