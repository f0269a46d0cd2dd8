#include "traces/stats.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <numeric>

#include "core/for_each_step.h"

namespace spillway {

StatsCollector::StatsCollector(const ModelGeometry& geometry)
    : geometry_(geometry), layers_(geometry.layers) {}

void StatsCollector::observe(const Step& step) {
  if (layers_[step.layer] == nullptr) {
    layers_[step.layer] = std::make_unique<Layer>();
    layers_[step.layer]->counts.resize(geometry_.experts_per_layer);
    layers_[step.layer]->history.resize(geometry_.experts_per_layer);
  }
  Layer& layer = *layers_[step.layer];
  if (totals_.steps == 0 || step.pass != pass_) {
    ++(step.phase == Phase::decode ? totals_.decode_passes : totals_.prefill_passes);
    pass_ = step.pass;
    pass_tokens_ = 0;
  }
  if (totals_.steps == 0 || step.sequence != sequence_) {
    ++totals_.sequences;
    sequence_ = step.sequence;
  }
  if (step.tokens > pass_tokens_) {
    (step.phase == Phase::decode ? totals_.decode_tokens : totals_.prefill_tokens) +=
        step.tokens - pass_tokens_;
    pass_tokens_ = step.tokens;
  }
  ++totals_.steps;
  totals_.accesses += step.experts.size();

  const std::vector<uint16_t>* choices = &step.choices;
  size_t per_token = geometry_.used_top_k;
  if (step.choices.empty() && step.tokens > 1) {
    observe_batch(layer, step);
    return;
  }
  if (step.choices.empty()) {
    listed_.clear();
    for (const ExpertId id : step.experts) {
      listed_.push_back(uint16_t(geometry_.expert_of(id)));
    }
    choices = &listed_;
    per_token = listed_.size();
  }
  totals_.choices += choices->size();
  for (const uint16_t choice : *choices) {
    ++layer.counts[choice];
  }
  for (size_t at = 0; at < choices->size(); at += per_token) {
    observe_token(layer, step.phase, {choices->data() + at, per_token});
  }
}

// The tokens' own choices are unknown here, so the next token has no predecessor to be compared with.
void StatsCollector::observe_batch(Layer& layer, const Step& step) {
  layer.batched.resize(geometry_.experts_per_layer);
  for (const ExpertId id : step.experts) {
    ++layer.batched[geometry_.expert_of(id)];
  }
  layer.tokens = 0;
  std::fill(layer.history.begin(), layer.history.end(), History());
}

std::vector<uint64_t> StatsCollector::popularity(uint32_t layer) const {
  if (layers_[layer] == nullptr) {
    return {};
  }
  std::vector<uint64_t> uses = layers_[layer]->counts;
  const std::vector<uint64_t>& batched = layers_[layer]->batched;
  std::transform(batched.begin(), batched.end(), uses.begin(), uses.begin(), std::plus<>());
  return uses;
}

Result<void> StatsCollector::observe_all(StepSource& steps) {
  return for_each_step(steps, [this](const Step& step) {
    observe(step);
    return Result<void>();
  });
}

void StatsCollector::observe_token(Layer& layer, Phase phase, std::span<const uint16_t> experts) {
  const uint64_t now = layer.tokens++;
  LagCounts seen;
  const auto lags = int64_t(std::min<uint64_t>(now, kMaxLag));
  std::fill(seen.possible.begin(), seen.possible.begin() + lags, experts.size());
  for (const uint16_t expert : experts) {
    History& history = layer.history[expert];
    const uint64_t elapsed = now - history.at;
    uint64_t chosen = elapsed < 64 ? history.chosen << elapsed : 0;
    history = {chosen << 1 | 1, now + 1};
    for (; chosen != 0; chosen &= chosen - 1) {
      ++seen.reused[size_t(std::countr_zero(chosen))];
    }
  }
  layer.all.add(seen);
  if (phase == Phase::decode) {
    layer.decode.add(seen);
  }
}

void StatsCollector::LagCounts::add(const LagCounts& other) {
  for (size_t i = 0; i < kMaxLag; ++i) {
    reused[i] += other.reused[i];
    possible[i] += other.possible[i];
  }
}

std::array<double, kMaxLag> StatsCollector::LagCounts::shares() const {
  std::array<double, kMaxLag> shares{};
  for (size_t i = 0; i < kMaxLag; ++i) {
    shares[i] = possible[i] == 0 ? 0 : double(reused[i]) / double(possible[i]);
  }
  return shares;
}

LayerStats StatsCollector::layer_stats(const Layer& layer) const {
  LayerStats stats;
  stats.choices = std::accumulate(layer.counts.begin(), layer.counts.end(), uint64_t(0));
  for (size_t expert = 0; expert < layer.counts.size(); ++expert) {
    const bool batched = !layer.batched.empty() && layer.batched[expert] != 0;
    stats.distinct += layer.counts[expert] != 0 || batched ? 1 : 0;
  }
  if (stats.choices == 0) {
    return stats;
  }
  const auto total = double(stats.choices);
  for (const uint64_t count : layer.counts) {
    if (count != 0) {
      stats.entropy_bits -= double(count) / total * std::log2(double(count) / total);
    }
  }
  std::vector<uint64_t> sorted = layer.counts;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const auto tenth = int64_t((sorted.size() + 9) / 10);
  stats.top_tenth_share =
      double(std::accumulate(sorted.begin(), sorted.begin() + tenth, uint64_t(0))) / total;
  stats.lag1_reuse = layer.all.shares().front();
  return stats;
}

TraceStats StatsCollector::finish() const {
  TraceStats stats = totals_;
  LagCounts all;
  LagCounts decode;
  uint64_t used_layers = 0;
  for (const std::unique_ptr<Layer>& layer : layers_) {
    if (layer == nullptr) {
      stats.layers.emplace_back();
      continue;
    }
    const LayerStats one = layer_stats(*layer);
    stats.layers.push_back(one);
    all.add(layer->all);
    decode.add(layer->decode);
    const double share = stats.choices == 0 ? 0 : double(one.choices) / double(stats.choices);
    stats.entropy_bits += share * one.entropy_bits;
    stats.top_tenth_share += share * one.top_tenth_share;
    stats.mean_distinct += one.distinct;
    used_layers += one.distinct != 0 ? 1 : 0;
  }
  stats.reuse = all.shares();
  stats.reuse_decode = decode.shares();
  stats.mean_distinct /= double(std::max<uint64_t>(used_layers, 1));
  const double most_bits = std::log2(double(geometry_.experts_per_layer));
  stats.entropy_share = most_bits == 0 ? 0 : stats.entropy_bits / most_bits;
  return stats;
}

}  // namespace spillway
