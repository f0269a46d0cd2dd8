#include "traces/preload.h"

#include <algorithm>

#include "core/expects.h"

namespace spillway {

std::vector<std::vector<ExpertId>> most_popular(const ModelGeometry& geometry, const StatsCollector& seen,
                                                uint64_t bytes) {
  struct Candidate {
    uint64_t uses = 0;
    ExpertId id{};
  };
  std::vector<Candidate> candidates;
  for (uint32_t layer = 0; layer < geometry.layers; ++layer) {
    const std::vector<uint64_t> uses = seen.popularity(layer);
    for (uint32_t number = 0; number < uses.size(); ++number) {
      if (uses[number] > 0) {
        candidates.push_back({uses[number], geometry.id(layer, number)});
      }
    }
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.uses > b.uses; });
  std::vector<std::vector<ExpertId>> chosen(geometry.layers);
  for (const Candidate& candidate : candidates) {
    const uint64_t needed = geometry.bytes_of(candidate.id);
    if (needed <= bytes) {
      bytes -= needed;
      chosen[geometry.layer_of(candidate.id)].push_back(candidate.id);
    }
  }
  return chosen;
}

PreloadSource::PreloadSource(StepSource& inner, std::vector<std::vector<ExpertId>> experts)
    : inner_(inner), experts_(std::move(experts)) {
  Expects(experts_.size() == inner_.info().geometry.layers);
  passes_before_ =
      std::any_of(experts_.begin(), experts_.end(), [](const auto& layer) { return !layer.empty(); }) ? 1 : 0;
}

bool PreloadSource::next_to_load(Step& step) {
  while (layer_ < experts_.size() && experts_[layer_].empty()) {
    ++layer_;
  }
  if (layer_ == experts_.size()) {
    return false;
  }
  step = Step{};
  step.layer = layer_;
  step.phase = Phase::prefill;
  step.experts = experts_[layer_];
  // One token uses no more than top_k experts. A step of several tokens keeps predictors from learning
  // from the preload.
  const uint32_t top_k = inner_.info().geometry.used_top_k;
  step.tokens = std::max(2U, (uint32_t(step.experts.size()) + top_k - 1) / top_k);
  ++layer_;
  return true;
}

Result<bool> PreloadSource::next(Step& step) {
  if (!next_to_load(step)) {
    Result<bool> more = inner_.next(step);
    if (!more || !*more) {
      return more;
    }
    step.pass += passes_before_;
  }
  step.index = steps_++;
  return true;
}

}  // namespace spillway
