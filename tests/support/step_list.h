#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "core/ports.h"

namespace spillway::test {

// A vector of steps that can be read as a source, and as the future by policies that may see it.
class StepList final : public StepSource, public StepSeries {
 public:
  StepList() = default;
  StepList(SourceInfo info, std::vector<Step> steps) : info_(std::move(info)), steps_(std::move(steps)) {}

  // The steps themselves say whether they have times and look-ahead.
  StepList(ModelGeometry geometry, std::vector<Step> steps) : steps_(std::move(steps)) {
    info_.geometry = std::move(geometry);
    for (const Step& step : steps_) {
      info_.has_compute_times |= step.attention_time || step.experts_time;
      info_.has_lookahead |= !step.lookahead.empty();
    }
  }

  const SourceInfo& info() const override { return info_; }
  Result<bool> next(Step& step) override {
    if (at_ == steps_.size()) {
      return false;
    }
    step = steps_[at_++];
    return true;
  }
  void rewind() { at_ = 0; }

  std::unique_ptr<StepSource> cursor() const override { return std::make_unique<StepList>(info_, steps_); }

 private:
  SourceInfo info_;
  std::vector<Step> steps_;
  size_t at_ = 0;
};

}  // namespace spillway::test
