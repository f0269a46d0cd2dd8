#pragma once

#include "core/ports.h"

namespace spillway {

// The first `decode_passes` decode passes of `inner`, with every prefill pass before the last of them.
// `inner` must outlive this object.
class LimitedSource final : public StepSource {
 public:
  LimitedSource(StepSource& inner, uint64_t decode_passes) : inner_(inner), passes_left_(decode_passes) {}

  const SourceInfo& info() const override { return inner_.info(); }

  Result<bool> next(Step& step) override {
    if (ended_) {
      return false;
    }
    Result<bool> more = inner_.next(step);
    if (!more || !*more) {
      return more;
    }
    if (!started_ || step.pass != pass_) {
      ended_ = passes_left_ == 0;
      passes_left_ -= step.phase == Phase::decode && !ended_ ? 1 : 0;
      pass_ = step.pass;
      started_ = true;
    }
    return !ended_;
  }

 private:
  StepSource& inner_;
  uint64_t passes_left_;
  uint64_t pass_ = 0;
  bool started_ = false;
  bool ended_ = false;
};

}  // namespace spillway
