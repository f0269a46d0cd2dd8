#pragma once

#include <utility>
#include <vector>

#include "core/ports.h"

namespace spillway {

// The steps of another source with each expert in a step of its own: CacheSemantics::request for code that
// takes steps. Data of a step as a whole (choices, weights, look-ahead, times, next uses) is left out.
class RequestSource final : public StepSource {
 public:
  // `source` must outlive this object.
  explicit RequestSource(StepSource& source) : source_(source), info_{.geometry = source.info().geometry} {}

  const SourceInfo& info() const override { return info_; }

  Result<bool> next(Step& step) override {
    while (place_ == whole_.experts.size()) {
      Result<bool> more = source_.next(whole_);
      if (!more || !*more) {
        return more;
      }
      place_ = 0;
    }
    std::vector<ExpertId> experts = std::move(step.experts);  // reuses its memory for the many steps
    step = Step{};
    step.index = index_++;
    step.pass = whole_.pass;
    step.layer = whole_.layer;
    step.sequence = whole_.sequence;
    step.phase = whole_.phase;
    experts.assign(1, whole_.experts[place_++]);
    step.experts = std::move(experts);
    return true;
  }

 private:
  StepSource& source_;
  SourceInfo info_;
  Step whole_;
  size_t place_ = 0;  // in whole_.experts
  uint64_t index_ = 0;
};

}  // namespace spillway
