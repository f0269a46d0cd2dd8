#pragma once

#include <cstdint>

#include "core/ports.h"

namespace spillway {

// A range of passes or sequences, both ends included.
struct CutRange {
  uint64_t first = 0;
  uint64_t last = UINT64_MAX;

  bool contains(uint64_t value) const { return value >= first && value <= last; }
};

// The steps of `inner` that lie in both ranges. They keep their pass and sequence numbers, so that they can
// be found in the original trace, but get new indices. `inner` must outlive this object.
class CutSource final : public StepSource {
 public:
  CutSource(StepSource& inner, CutRange passes, CutRange sequences)
      : inner_(inner), passes_(passes), sequences_(sequences) {}

  const SourceInfo& info() const override { return inner_.info(); }

  Result<bool> next(Step& step) override {
    for (;;) {
      Result<bool> more = inner_.next(step);
      if (!more || !*more || step.pass > passes_.last) {
        return more && *more ? Result<bool>(false) : more;
      }
      if (passes_.contains(step.pass) && sequences_.contains(step.sequence)) {
        step.index = steps_++;
        return true;
      }
    }
  }

 private:
  StepSource& inner_;
  CutRange passes_;
  CutRange sequences_;
  uint64_t steps_ = 0;
};

}  // namespace spillway
