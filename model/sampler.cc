#include "model/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/expects.h"

namespace spillway {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

// Returns the most likely token; of equally likely ones the lowest id. Every choice begins here, so that
// unusable logits are always reported.
Result<TokenId> most_likely(std::span<const float> logits) {
  size_t best = 0;
  for (size_t id = 0; id < logits.size(); ++id) {
    if (std::isnan(logits[id]) || logits[id] == -kForbidden) {
      return failed("the model gives token {} a logit of {}: its weights are damaged or were read wrongly",
                    id, logits[id]);
    }
    best = logits[id] > logits[best] ? id : best;
  }
  if (logits[best] == kForbidden) {
    return failed("the model forbids all {} tokens: its weights are damaged or were read wrongly",
                  logits.size());
  }
  return TokenId(best);
}

}  // namespace

Result<Sampler> Sampler::make(const SamplerOptions& options) {
  // The conditions are written so that NaN fails each of them.
  if (!(options.temperature >= 0 && std::isfinite(options.temperature))) {
    return wrong_usage("a temperature of {} makes no sense; give 0 (always the likeliest token) or more",
                       options.temperature);
  }
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    return wrong_usage("a top-p of {} makes no sense; give more than 0, up to 1 (which keeps all)",
                       options.top_p);
  }
  if (!(options.min_p >= 0 && options.min_p <= 1)) {
    return wrong_usage("a min-p of {} makes no sense; give 0 (which keeps all) to 1", options.min_p);
  }
  return Sampler(options);
}

Result<TokenId> Sampler::sample(std::span<const float> logits) {
  Expects(!logits.empty() && logits.size() <= size_t{std::numeric_limits<TokenId>::max()});
  Result<TokenId> best = most_likely(logits);
  if (!best || options_.temperature == 0 || options_.top_k == 1) {
    return best;
  }
  candidates_.clear();
  for (size_t id = 0; id < logits.size(); ++id) {
    if (logits[id] != kForbidden) {
      candidates_.push_back({logits[id], TokenId(id)});
    }
  }
  keep_top_k();
  keep_top_p();
  keep_min_p();
  return draw();
}

bool Sampler::is_likelier(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

// Leaves the candidates sorted when top-k or top-p needs that; the other limits accept any order.
void Sampler::keep_top_k() {
  const size_t wanted = options_.top_k == 0 ? candidates_.size() : options_.top_k;
  if (wanted < candidates_.size()) {
    const auto end = candidates_.begin() + std::ptrdiff_t(wanted);
    std::partial_sort(candidates_.begin(), end, candidates_.end(), is_likelier);
    candidates_.resize(wanted);
  } else if (options_.top_p < 1) {
    std::sort(candidates_.begin(), candidates_.end(), is_likelier);
  }
}

void Sampler::keep_top_p() {
  if (options_.top_p >= 1) {
    return;
  }
  weights_.clear();
  double sum = 0;
  for (const Candidate& candidate : candidates_) {
    weights_.push_back(std::exp(double(candidate.logit) - double(candidates_.front().logit)));
    sum += weights_.back();
  }
  double reached = 0;
  size_t kept = 0;
  while (kept < candidates_.size() && reached < options_.top_p * sum) {
    reached += weights_[kept++];
  }
  candidates_.resize(std::max<size_t>(kept, 1));
}

void Sampler::keep_min_p() {
  if (options_.min_p <= 0) {
    return;
  }
  const Candidate& best = *std::min_element(candidates_.begin(), candidates_.end(), is_likelier);
  const double least = double(best.logit) + std::log(options_.min_p);
  std::erase_if(candidates_, [least](const Candidate& candidate) { return double(candidate.logit) < least; });
}

TokenId Sampler::draw() {
  const Candidate best = *std::min_element(candidates_.begin(), candidates_.end(), is_likelier);
  weights_.clear();
  double sum = 0;
  for (const Candidate& candidate : candidates_) {
    weights_.push_back(std::exp((double(candidate.logit) - double(best.logit)) / options_.temperature));
    sum += weights_.back();
  }
  double left = rng_.uniform() * sum;
  for (size_t i = 0; i < candidates_.size(); ++i) {
    left -= weights_[i];
    if (left < 0) {
      return candidates_[i].id;
    }
  }
  return best.id;  // the subtractions above may end a rounding error short of the sum
}

double log_probability(std::span<const float> logits, TokenId id) {
  Expects(id >= 0 && size_t(id) < logits.size());
  const double highest = double(*std::max_element(logits.begin(), logits.end()));
  double sum = 0;
  for (const float logit : logits) {
    sum += std::exp(double(logit) - highest);
  }
  return double(logits[size_t(id)]) - highest - std::log(sum);
}

}  // namespace spillway
