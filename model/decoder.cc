#include "model/decoder.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "core/expects.h"

namespace spillway {
namespace {

// The least sum that the chosen experts' probabilities are divided by, so that none
// is divided by almost zero.
constexpr float kLeastSum = 6.103515625e-5F;

// The output head is as large as hundreds of experts: it is read once for this many tokens.
constexpr uint32_t kLogitsTogether = 16;

bool all_finite(std::span<const float> values) {
  uint32_t most = 0;  // a loop without branches, for a vocabulary of 150,000 values
  for (const float value : values) {
    most = std::max(most, std::bit_cast<uint32_t>(value) & 0x7fffffffU);
  }
  return most < 0x7f800000U;
}

}  // namespace

uint64_t working_bytes(const Model& model, uint32_t tokens) {
  uint64_t mixer = 0;
  for (const Layer& layer : model.layers) {
    mixer = std::max(mixer, layer.mixer->scratch_bytes(tokens));
  }
  // The residual stream, the mixer's and the experts' contribution to it, its norm with a quantized
  // form, the results of one expert and of the shared one; then the result of each choice, and the
  // router's value for every expert.
  const uint64_t values =
      (6 + uint64_t{model.geometry.used_top_k}) * model.width + model.geometry.experts_per_layer;
  return mixer + (tokens * values + uint64_t{kLogitsTogether} * model.vocabulary) * sizeof(float);
}

Decoder::Decoder(Model& model, Engine& engine, TokenFeed& feed, const Clock& clock,
                 const DecoderOptions& options, Recorder recorder)
    : model_(model),
      engine_(engine),
      feed_(feed),
      clock_(clock),
      options_(options),
      recorder_(std::move(recorder)),
      info_{.geometry = model.geometry,
            .has_compute_times = true,
            .has_lookahead = options.lookahead > 0,
            .is_live = true},
      feed_forward_(engine),
      seen_(model.geometry.experts_per_layer) {}

Result<bool> Decoder::next(Step& step) {
  if (Result<void> ended = end_step(); !ended) {
    return propagate(ended);
  }
  const Nanoseconds start = clock_.now();
  if (next_layer_ == model_.geometry.layers) {
    if (Result<void> ended = end_pass(); !ended) {
      return propagate(ended);
    }
    next_layer_ = 0;
  }
  if (next_layer_ == 0) {
    Result<bool> more = feed_.next(batch_);
    if (!more || !*more) {
      return more;
    }
    if (Result<void> begun = begin_pass(); !begun) {
      return propagate(begun);
    }
  }
  step_.index = next_step_++;
  step_.layer = next_layer_++;
  Layer& layer = model_.layers[step_.layer];
  mix(layer);
  if (Result<void> routed = route(layer); !routed) {
    return propagate(routed);
  }
  collect_distinct(model_.geometry, seen_, step_);
  look_ahead();
  step_.attention_time = clock_.now() - start;
  experts_time_ = Nanoseconds(0);
  in_step_ = true;
  shared_is_there_ = false;
  step = step_;
  return true;
}

// Has no work left: next() computed the attention, since the router needs its result to choose the experts.
Nanoseconds Decoder::attention(const Step& /*step*/, Nanoseconds /*began*/) {
  return clock_.now();
}

Nanoseconds Decoder::shared_expert(const Step& /*step*/, Nanoseconds now) {
  const std::optional<SharedExpert>& shared = model_.layers[step_.layer].shared;
  shared_is_there_ = true;
  if (!shared) {
    return now;
  }
  rows_.resize(step_.tokens);
  std::iota(rows_.begin(), rows_.end(), 0U);
  shared_out_.resize(size_t{step_.tokens} * model_.width);
  feed_forward_.run(shared->matrices, normed_, rows_, shared_out_.data());
  const Nanoseconds end = clock_.now();
  experts_time_ += end - now;
  return end;
}

Result<void> Decoder::begin_pass() {
  Expects(!batch_.tokens.empty());
  const auto tokens = uint32_t(batch_.tokens.size());
  if (batch_.begins_sequence) {
    position_ = 0;
    for (Layer& layer : model_.layers) {
      layer.mixer->reset();
    }
  }
  if (position_ + uint64_t{tokens} > options_.context) {
    return failed("{} tokens do not fit into a context of {}", position_ + uint64_t{tokens},
                  options_.context);
  }
  residual_.resize(size_t{tokens} * model_.width);
  mixed_.resize(residual_.size());
  for (uint32_t token = 0; token < tokens; ++token) {
    const TokenId id = batch_.tokens[token];
    if (id < 0 || uint32_t(id) >= model_.vocabulary) {
      return failed("token {} is not in the model's vocabulary of {} tokens", id, model_.vocabulary);
    }
    const Matrix& table = model_.embedding;
    dequantize(table.type, table.data + uint64_t(id) * table.row_bytes, {residual(token), model_.width});
  }
  step_.pass = next_pass_++;
  step_.sequence = batch_.sequence;
  step_.tokens = tokens;
  step_.phase = batch_.phase;
  step_.token_ids.assign(batch_.tokens.begin(), batch_.tokens.end());
  return {};
}

void Decoder::mix(Layer& layer) {
  const uint32_t tokens = step_.tokens;
  const Kernels& k = engine_.k();
  normed_.reshape(tokens, model_.width);
  for (uint32_t token = 0; token < tokens; ++token) {
    k.rms_norm(residual(token), layer.mixer_norm.data(), model_.epsilon, normed_.row(token), model_.width);
  }
  layer.mixer->forward(engine_, mixer_scratch_, normed_, position_, mixed_.data());
  normed_.reshape(tokens, model_.width);
  for (uint32_t token = 0; token < tokens; ++token) {
    k.add_scaled(1, mixed_.data() + size_t{token} * model_.width, residual(token), model_.width);
    k.rms_norm(residual(token), layer.ffn_norm.data(), model_.epsilon, normed_.row(token), model_.width);
  }
}

// Applies the router: a softmax over all experts. The most probable are chosen; of equally
// probable ones the lowest number.
Result<void> Decoder::route(const Layer& layer) {
  const uint32_t experts = model_.geometry.experts_per_layer;
  const uint32_t chosen = model_.geometry.used_top_k;
  probability_.resize(size_t{step_.tokens} * experts);
  engine_.multiply(layer.router, normed_, probability_.data(), experts);
  step_.choices.clear();
  step_.weights.clear();
  for (uint32_t token = 0; token < step_.tokens; ++token) {
    float* p = probability_.data() + size_t{token} * experts;
    if (!choose(p)) {
      saw_non_finite_ = true;
      return failed("layer {}: the router's values are no finite numbers: the model is damaged", step_.layer);
    }
    float sum = 0;
    for (uint32_t i = 0; i < chosen; ++i) {
      sum += p[order_[i]];
    }
    const float divisor = model_.normalise_weights ? std::max(sum, kLeastSum) : 1.0F;
    for (uint32_t i = 0; i < chosen; ++i) {
      step_.choices.push_back(order_[i]);
      step_.weights.push_back(p[order_[i]] / divisor);
    }
  }
  results_.resize(step_.choices.size() * model_.width);
  return {};
}

// Turns the logits `p`, [experts], into probabilities and puts the chosen experts first in order_. Returns
// false when the probabilities are not finite.
bool Decoder::choose(float* p) {
  const uint32_t experts = model_.geometry.experts_per_layer;
  engine_.k().softmax(p, experts);
  if (!std::isfinite(p[0])) {
    return false;  // one NaN among the logits makes every probability NaN
  }
  order_.resize(experts);
  std::iota(order_.begin(), order_.end(), uint16_t{0});
  std::partial_sort(order_.begin(), order_.begin() + model_.geometry.used_top_k, order_.end(),
                    [p](uint16_t a, uint16_t b) { return p[a] > p[b] || (p[a] == p[b] && a < b); });
  return true;
}

// Records what the next layers' routers would choose from this layer's residual stream. The stream changes
// little from layer to layer, so these choices are close to the real ones.
void Decoder::look_ahead() {
  step_.lookahead.clear();
  if (step_.tokens != 1) {
    return;
  }
  const uint32_t last = std::min(model_.geometry.layers - 1, step_.layer + options_.lookahead);
  for (uint32_t number = step_.layer + 1; number <= last; ++number) {
    const Layer& layer = model_.layers[number];
    ahead_.reshape(1, model_.width);
    engine_.k().rms_norm(residual(0), layer.ffn_norm.data(), model_.epsilon, ahead_.row(0), model_.width);
    engine_.multiply(layer.router, ahead_, probability_.data(), model_.geometry.experts_per_layer);
    if (!choose(probability_.data())) {
      return;  // route() reports the error when this layer's turn comes
    }
    for (uint32_t i = 0; i < model_.geometry.used_top_k; ++i) {
      step_.lookahead.push_back(model_.geometry.id(number, order_[i]));
    }
  }
}

Nanoseconds Decoder::expert(const Step& step, ExpertId id, ExpertBytes bytes, Nanoseconds now) {
  Expects(in_step_ && step.index == step_.index);
  const uint32_t number = model_.geometry.expert_of(id);
  const uint32_t chosen = model_.geometry.used_top_k;
  rows_.clear();
  slots_.clear();
  for (uint32_t slot = 0; slot < step_.choices.size(); ++slot) {
    if (step_.choices[slot] == number) {
      rows_.push_back(slot / chosen);
      slots_.push_back(slot);
    }
  }
  expert_out_.resize(rows_.size() * model_.width);
  feed_forward_.run(model_.layers[step_.layer].experts.view(bytes), normed_, rows_, expert_out_.data());
  for (size_t i = 0; i < rows_.size(); ++i) {
    std::copy_n(expert_out_.data() + i * model_.width, model_.width,
                results_.data() + size_t{slots_[i]} * model_.width);
  }
  const Nanoseconds end = clock_.now();
  experts_time_ += end - now;
  return end;
}

Result<void> Decoder::end_step() {
  if (!in_step_) {
    return {};
  }
  Expects(shared_is_there_);
  in_step_ = false;
  const Nanoseconds start = clock_.now();
  const Layer& layer = model_.layers[step_.layer];
  add_experts();
  if (layer.shared) {
    add_shared(*layer.shared);
  }
  step_.experts_time = experts_time_ + (clock_.now() - start);
  return recorder_ ? recorder_(step_) : Result<void>();
}

void Decoder::add_experts() {
  const uint32_t chosen = model_.geometry.used_top_k;
  for (uint32_t token = 0; token < step_.tokens; ++token) {
    float* sum = mixed_.data() + size_t{token} * model_.width;
    std::fill_n(sum, model_.width, 0.0F);
    for (uint32_t i = 0; i < chosen; ++i) {
      const size_t slot = size_t{token} * chosen + i;
      engine_.k().add_scaled(step_.weights[slot], results_.data() + slot * model_.width, sum, model_.width);
    }
    engine_.k().add_scaled(1, sum, residual(token), model_.width);
  }
}

void Decoder::add_shared(const SharedExpert& shared) {
  for (uint32_t token = 0; token < step_.tokens; ++token) {
    const float gate = engine_.k().dot(shared.gate.data(), normed_.row(token), model_.width);
    engine_.k().add_scaled(1.0F / (1.0F + std::exp(-gate)), shared_out_.data() + size_t{token} * model_.width,
                           residual(token), model_.width);
  }
}

Result<void> Decoder::end_pass() {
  for (uint32_t first = std::min(batch_.first_logits, step_.tokens - 1); first < step_.tokens;) {
    const uint32_t some = std::min(kLogitsTogether, step_.tokens - first);
    last_.reshape(some, model_.width);
    for (uint32_t i = 0; i < some; ++i) {
      engine_.k().rms_norm(residual(first + i), model_.output_norm.data(), model_.epsilon, last_.row(i),
                           model_.width);
    }
    logits_.resize(size_t{some} * model_.vocabulary);
    engine_.multiply(model_.head, last_, logits_.data(), model_.vocabulary);
    for (uint32_t i = 0; i < some; ++i) {
      const std::span<const float> values(logits_.data() + size_t{i} * model_.vocabulary, model_.vocabulary);
      if (!all_finite(values)) {
        saw_non_finite_ = true;
        return failed("a logit is no finite number: the model is damaged");
      }
      if (Result<void> taken = feed_.logits(first + i, values); !taken) {
        return taken;
      }
    }
    first += some;
  }
  position_ += step_.tokens;
  return {};
}

}  // namespace spillway
