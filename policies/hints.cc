#include "policies/hints.h"

#include <algorithm>

namespace spillway {
namespace {

// The memory of a rate: long enough to be steady, short enough to notice that the text has changed.
constexpr uint32_t kWindow = 256;

}  // namespace

Scorecard::Scorecard(const ModelGeometry& geometry, double least)
    : geometry_(geometry),
      least_(least),
      proposals_(geometry.layers),
      rates_(geometry.expert_count(), {float(geometry.used_top_k) / float(geometry.experts_per_layer), 1}) {}

void Scorecard::observe(const Step& step) {
  std::vector<ExpertId>& ranked = proposals_[step.layer].ranked;
  if (step.tokens == 1) {
    for (size_t rank = 0; rank < ranked.size(); ++rank) {
      const auto found = std::find(step.experts.begin(), step.experts.end(), ranked[rank]);
      Rate& measured = rate(step.layer, rank);
      measured.samples = std::min(measured.samples + 1, kWindow);
      const float outcome = found != step.experts.end() ? 1.0F : 0.0F;
      measured.value += (outcome - measured.value) / float(measured.samples);
    }
  }
  ranked.clear();
}

void Scorecard::propose(const Step& now, ExpertId expert, HintList& out) {
  const uint32_t layer = geometry_.layer_of(expert);
  Proposals& proposals = proposals_[layer];
  if (proposals.made_at != now.index) {
    proposals.made_at = now.index;
    proposals.ranked.clear();
  }
  const float confidence = rate(layer, proposals.ranked.size()).value;
  proposals.ranked.push_back(expert);
  if (confidence >= least_) {
    out.push_back({expert, confidence});
  }
}

Scorecard::Rate& Scorecard::rate(uint32_t layer, size_t rank) {
  // A list longer than the layer, which only a recorded one can be, has its tail in one.
  return rates_[size_t(layer) * geometry_.experts_per_layer +
                std::min<size_t>(rank, geometry_.experts_per_layer - 1)];
}

void append_best(const ModelGeometry& geometry, uint32_t layer, std::span<const float> probability,
                 uint32_t count, double least, HintList& out) {
  const size_t begin = out.size();
  const auto exceeds = [](float value, const Hint& hint) { return value > hint.confidence; };
  for (uint32_t expert = 0; expert < probability.size(); ++expert) {
    const float value = std::min(probability[expert], 1.0F);
    if (value <= 0 || value < least) {
      continue;
    }
    if (out.size() - begin == count) {
      if (value <= out.back().confidence) {
        continue;
      }
      out.pop_back();
    }
    const auto place = std::upper_bound(out.begin() + ptrdiff_t(begin), out.end(), value, exceeds);
    out.insert(place, {geometry.id(layer, expert), value});
  }
}

}  // namespace spillway
