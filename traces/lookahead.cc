#include "traces/lookahead.h"

#include <algorithm>

namespace spillway {

void LookaheadRecall::observe(const Step& step) {
  if (step.pass != pass_) {
    pass_ = step.pass;
    for (std::vector<ExpertId>& list : predicted_) {
      list.clear();
    }
  }
  if (step.tokens == 1) {
    for (uint32_t before = 1; before <= step.layer; ++before) {
      const std::vector<ExpertId>& list = predicted_[step.layer - before];
      const auto is_ours = [&](ExpertId id) { return geometry_.layer_of(id) == step.layer; };
      if (std::none_of(list.begin(), list.end(), is_ours)) {
        continue;
      }
      while (distances_.size() < before) {
        distances_.push_back({.layers = uint32_t(distances_.size()) + 1});
      }
      Distance& distance = distances_[before - 1];
      distance.used += step.experts.size();
      distance.foreseen += uint64_t(std::count_if(step.experts.begin(), step.experts.end(), [&](ExpertId id) {
        return std::find(list.begin(), list.end(), id) != list.end();
      }));
    }
  }
  predicted_[step.layer] = step.lookahead;
}

std::vector<LookaheadRecall::Distance> LookaheadRecall::by_distance() const {
  std::vector<Distance> seen;
  std::copy_if(distances_.begin(), distances_.end(), std::back_inserter(seen),
               [](const Distance& distance) { return distance.used > 0; });
  return seen;
}

}  // namespace spillway
