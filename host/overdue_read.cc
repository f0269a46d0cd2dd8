#include "host/overdue_read.h"

#include <fmt/core.h>

#include <atomic>

#include "host/interrupt.h"

namespace spillway {
namespace {

// The time in which a working drive answers, also a throttled one.
constexpr Nanoseconds kPatience = std::chrono::seconds(2);

std::atomic<void (*)(const OverdueRead&)> listener{nullptr};

}  // namespace

std::string describe(const OverdueRead& read) {
  return fmt::format("{}: {} bytes at offset {} have not come for {}", read.path, read.bytes, read.offset,
                     format_duration(read.age));
}

void tell_overdue_reads(void (*tell)(const OverdueRead& read)) {
  listener = tell;
}

bool OverdueWatch::gives_up(const OverdueRead& slowest) {
  if (slowest.age >= next_) {
    next_ = 2 * slowest.age;
    if (const auto tell = listener.load()) {
      tell(slowest);
    }
  }
  return interrupted() && slowest.age >= kPatience;
}

}  // namespace spillway
