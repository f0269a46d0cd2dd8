#pragma once

#include <utility>

#include "core/ports.h"

namespace spillway {

// Hands each step of `steps`, up to the end of the source, to take(const Step&), which returns a
// Result<void>. Returns the first error of the source or of `take`, and stops there.
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
