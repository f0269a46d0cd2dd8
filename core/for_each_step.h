#pragma once

#include <utility>

#include "core/ports.h"

namespace spillway {

// Hands every step of `steps`, to their end, to take(const Step&), which returns a Result<void>. Ends at the
// first error, of either.
template <class Take>
Result<void> for_each_step(StepSource& steps, Take take) {
  Step step;
  for (;;) {
    Result<bool> more = steps.next(step);
    if (!more) {
      return propagate(more);
    }
    if (!*more) {
      return {};
    }
    if (Result<void> taken = take(std::as_const(step)); !taken) {
      return taken;
    }
  }
}

}  // namespace spillway
