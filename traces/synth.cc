#include "traces/synth.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/expects.h"

namespace spillway {

double RouterModel::copy_total() const {
  return std::accumulate(copy.begin(), copy.end(), 0.0);
}

SynthSource::SynthSource(const ModelGeometry& geometry, RouterModel model, uint32_t prefill_tokens,
                         uint64_t decode_tokens, uint64_t seed)
    : info_{geometry, false, false, false},
      model_(std::move(model)),
      prefill_tokens_(prefill_tokens),
      passes_(decode_tokens + (prefill_tokens != 0 ? 1 : 0)),
      rng_(seed),
      layers_(geometry.layers),
      chosen_(geometry.experts_per_layer),
      seen_(geometry.experts_per_layer) {
  Expects(model_.popularity.size() == geometry.layers);
  for (uint32_t i = 0; i < geometry.layers; ++i) {
    if (geometry.expert_bytes[i] == 0) {
      continue;
    }
    const std::vector<double>& odds = model_.popularity[i];
    Expects(odds.size() == geometry.experts_per_layer);
    layers_[i].cumulative.resize(odds.size());
    std::partial_sum(odds.begin(), odds.end(), layers_[i].cumulative.begin());
    layers_[i].recent.resize(size_t(kMaxLag) * geometry.used_top_k);
    with_experts_.push_back(i);
  }
}

Result<bool> SynthSource::next(Step& step) {
  if (pass_ == passes_) {
    return false;
  }
  const bool prefill = prefill_tokens_ != 0 && pass_ == 0;
  step = Step{};
  step.index = index_++;
  step.pass = pass_;
  step.layer = with_experts_[place_];
  step.phase = prefill ? Phase::prefill : Phase::decode;
  step.tokens = prefill ? prefill_tokens_ : 1;
  for (uint32_t token = 0; token < step.tokens; ++token) {
    route_token(layers_[step.layer], step.choices);
  }
  collect_distinct(info_.geometry, seen_, step);
  if (++place_ == with_experts_.size()) {
    place_ = 0;
    ++pass_;
  }
  return true;
}

void SynthSource::route_token(Layer& layer, std::vector<uint16_t>& choices) {
  const uint32_t top_k = info_.geometry.used_top_k;
  const size_t first = choices.size();
  while (choices.size() < first + top_k) {
    uint16_t expert = copy_or_draw(layer);
    // A popular expert comes up again and again; when most are taken, going on from there ends the search.
    for (int attempt = 0; chosen_[expert] && attempt < 32; ++attempt) {
      expert = draw(layer);
    }
    while (chosen_[expert]) {
      expert = uint16_t((expert + 1U) % info_.geometry.experts_per_layer);
    }
    chosen_[expert] = true;
    choices.push_back(expert);
  }
  const size_t slot = size_t(layer.tokens % kMaxLag) * top_k;
  for (uint32_t i = 0; i < top_k; ++i) {
    layer.recent[slot + i] = choices[first + i];
    chosen_[choices[first + i]] = false;
  }
  ++layer.tokens;
}

uint16_t SynthSource::copy_or_draw(const Layer& layer) {
  double dice = rng_.uniform();
  for (uint32_t octave = 0; octave < kOctaves; ++octave) {
    if (dice >= model_.copy[octave]) {
      dice -= model_.copy[octave];
      continue;
    }
    const uint64_t farthest = uint64_t(1) << octave;
    const uint64_t lag = farthest / 2 + 1 + rng_.below(farthest - farthest / 2);
    if (lag > layer.tokens) {
      break;
    }
    const uint32_t top_k = info_.geometry.used_top_k;
    return layer.recent[size_t((layer.tokens - lag) % kMaxLag) * top_k + rng_.below(top_k)];
  }
  return draw(layer);
}

uint16_t SynthSource::draw(const Layer& layer) {
  const double dice = rng_.uniform() * layer.cumulative.back();
  const auto found = std::upper_bound(layer.cumulative.begin(), layer.cumulative.end(), dice);
  return uint16_t(
      std::min<ptrdiff_t>(found - layer.cumulative.begin(), ptrdiff_t(layer.cumulative.size()) - 1));
}

}  // namespace spillway
