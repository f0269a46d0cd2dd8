#include "policies/hints.h"

#include <algorithm>

namespace spillway {
namespace {

// The window of a rate: long enough to be steady, short enough to notice that the text has changed.
constexpr uint32_t kWindow = 256;

// The expectation weighs as much as this many proposals; otherwise the first few proposals would decide.
constexpr uint32_t kPriorSamples = 4;

}  // namespace

Scorecard::Scorecard(const ModelGeometry& geometry, const std::vector<float>& expected, double least)
    : geometry_(geometry), least_(least), proposals_(geometry.layers) {
  for (const float value : expected) {
    rates_.push_back({value, kPriorSamples});
  }
}

void Scorecard::observe(const Step& step) {
  std::vector<Proposal>& list = proposals_[step.layer].list;
  if (step.tokens == 1) {
    for (const Proposal& proposal : list) {
      const auto found = std::find(step.experts.begin(), step.experts.end(), proposal.expert);
      const float outcome = found != step.experts.end() ? 1.0F : 0.0F;
      Rate& rate = rates_[proposal.group];
      rate.samples = std::min(rate.samples + 1, kWindow);
      rate.value += (outcome - rate.value) / float(rate.samples);
    }
  }
  list.clear();
}

void Scorecard::propose(const Step& now, ExpertId expert, size_t group, HintList& out) {
  Proposals& proposals = proposals_[geometry_.layer_of(expert)];
  if (proposals.made_at != now.index) {
    proposals.made_at = now.index;
    proposals.list.clear();
  }
  proposals.list.push_back({expert, group});
  if (rates_[group].value >= least_) {
    out.push_back({expert, rates_[group].value});
  }
}

RankScorecard::RankScorecard(const ModelGeometry& geometry, double least)
    : geometry_(geometry),
      scorecard_(geometry,
                 std::vector<float>(geometry.expert_count(),
                                    float(geometry.used_top_k) / float(geometry.experts_per_layer)),
                 least) {}

void RankScorecard::propose(const Step& now, ExpertId expert, size_t rank, HintList& out) {
  // A list can be longer than the layer only if it was recorded; the tail of such a list is in one group.
  const size_t last = geometry_.experts_per_layer - 1;
  const size_t layer = geometry_.layer_of(expert);
  scorecard_.propose(now, expert, layer * geometry_.experts_per_layer + std::min(rank, last), out);
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
