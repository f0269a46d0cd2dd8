#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/units.h"

namespace spillway {

// A read that somebody has waited for unusually long.
struct OverdueRead {
  std::string path;
  uint64_t offset = 0;
  uint64_t bytes = 0;
  Nanoseconds age{0};
};

// Returns `x.store: 1048576 bytes at offset 4096 have not come for 12.0 s`.
std::string describe(const OverdueRead& read);

// Has `tell` called with each read that takes for ever, by the thread that waits for it. Without it nobody is
// told.
void tell_overdue_reads(void (*tell)(const OverdueRead& read));

// Follows one wait for reads: decides when somebody is told of the slowest, and when to wait no longer.
class OverdueWatch {
 public:
  // A wait looks around this often.
  static constexpr Nanoseconds kLook = std::chrono::milliseconds(200);

  // Looks at the slowest read in flight. Tells of it after five seconds, and again each time its age has
  // doubled. Returns true if nobody should wait for it any longer: the end was asked for (host/interrupt.h),
  // and a drive that works would have answered.
  bool gives_up(const OverdueRead& slowest);

  // Something has come.
  void relax() { next_ = kFirst; }

 private:
  static constexpr Nanoseconds kFirst = std::chrono::seconds(5);

  Nanoseconds next_ = kFirst;
};

}  // namespace spillway
