#include "traces/synth.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/expects.h"

namespace spillway {
namespace {

constexpr int kMostAttempts = 32;  // attempts to draw an expert that the token has not chosen yet

}  // namespace

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
    Expects(model_.popularity[i].size() == geometry.experts_per_layer);
    layers_[i].recent.resize(size_t(kMaxLag) * geometry.used_top_k);
    with_experts_.push_back(i);
  }
}

Result<bool> SynthSource::next(Step& step) {
  if (pass_ == passes_) {
    return false;
  }
  const bool prefill = prefill_tokens_ != 0 && pass_ == 0;
  std::vector<ExpertId> experts = std::move(step.experts);  // reuses their memory for the next step
  std::vector<uint16_t> choices = std::move(step.choices);
  step = Step{};
  step.experts = std::move(experts);
  step.choices = std::move(choices);
  step.choices.clear();
  step.index = index_++;
  step.pass = pass_;
  step.layer = with_experts_[place_];
  step.phase = prefill ? Phase::prefill : Phase::decode;
  step.tokens = prefill ? prefill_tokens_ : 1;
  for (uint32_t token = 0; token < step.tokens; ++token) {
    route_token(step.layer, step.choices);
  }
  collect_distinct(info_.geometry, seen_, step);
  if (++place_ == with_experts_.size()) {
    place_ = 0;
    ++pass_;
  }
  return true;
}

void SynthSource::route_token(uint32_t number, std::vector<uint16_t>& choices) {
  Layer& layer = layers_[number];
  const uint32_t top_k = info_.geometry.used_top_k;
  const size_t first = choices.size();
  while (choices.size() < first + top_k) {
    choices.push_back(copy_or_draw(layer, model_.popularity[number]));
    chosen_[choices.back()] = true;
  }
  const size_t slot = size_t(layer.tokens % kMaxLag) * top_k;
  for (uint32_t i = 0; i < top_k; ++i) {
    layer.recent[slot + i] = choices[first + i];
    chosen_[choices[first + i]] = false;
  }
  ++layer.tokens;
}

uint16_t SynthSource::copy_or_draw(Layer& layer, const std::vector<double>& odds) {
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
    const uint16_t* token = layer.recent.data() + size_t((layer.tokens - lag) % kMaxLag) * top_k;
    const auto start = uint32_t(rng_.below(top_k));
    for (uint32_t i = 0; i < top_k; ++i) {
      if (const uint16_t expert = token[(start + i) % top_k]; !chosen_[expert]) {
        return expert;
      }
    }
    break;
  }
  return model_.deck == 0 ? draw(layer, odds) : deal(layer, odds);
}

uint16_t SynthSource::draw(Layer& layer, const std::vector<double>& odds) {
  if (layer.cumulative.empty()) {
    layer.cumulative.resize(odds.size());
    std::partial_sum(odds.begin(), odds.end(), layer.cumulative.begin());
  }
  uint32_t expert = 0;
  // Favourites are drawn again and again. When most of them are taken, a walk from the last draw
  // ends the search.
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    const double dice = rng_.uniform() * layer.cumulative.back();
    const auto found = std::upper_bound(layer.cumulative.begin(), layer.cumulative.end(), dice);
    expert = uint32_t(std::min<ptrdiff_t>(found - layer.cumulative.begin(), ptrdiff_t(odds.size()) - 1));
    if (!chosen_[expert]) {
      return uint16_t(expert);
    }
  }
  return next_unchosen(expert);
}

uint16_t SynthSource::deal(Layer& layer, const std::vector<double>& odds) {
  if (layer.dealt == layer.deck.size()) {
    const double total = std::accumulate(odds.begin(), odds.end(), 0.0);
    layer.deck.clear();
    layer.dealt = 0;
    for (size_t expert = 0; expert < odds.size(); ++expert) {
      // Rounds at random, so that an expert due 0.7 cards is in seven decks of ten.
      const double due = odds[expert] / total * double(model_.deck) + rng_.uniform();
      layer.deck.insert(layer.deck.end(), size_t(due), uint16_t(expert));
    }
    if (layer.deck.empty()) {
      return next_unchosen(0);
    }
  }
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    const size_t pick = layer.dealt + rng_.below(layer.deck.size() - layer.dealt);
    const uint16_t expert = layer.deck[pick];
    if (!chosen_[expert]) {
      layer.deck[pick] = layer.deck[layer.dealt++];
      return expert;
    }
  }
  return next_unchosen(layer.deck[layer.dealt++]);
}

uint16_t SynthSource::next_unchosen(uint32_t expert) const {
  while (chosen_[expert]) {
    expert = (expert + 1) % info_.geometry.experts_per_layer;
  }
  return uint16_t(expert);
}

}  // namespace spillway
