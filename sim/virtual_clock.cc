#include "sim/virtual_clock.h"

#include <algorithm>

namespace spillway {

void VirtualClock::wait_until(Nanoseconds deadline) {
  for (const EventSource* source : sources_) {
    if (const std::optional<Nanoseconds> event = source->next_event()) {
      deadline = std::min(deadline, *event);
    }
  }
  advance_to(deadline);
}

}  // namespace spillway
