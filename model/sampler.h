#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"
#include "core/rng.h"
#include "model/text/vocabulary.h"

namespace spillway {

// Which of the likely tokens may follow, in the order in which the limits are applied: each works on the
// probabilities of what the one before has left, and only the draw sees the temperature.
struct SamplerOptions {
  uint32_t top_k = 40;       // keep the k most likely tokens; 0: all
  double top_p = 0.95;       // of these the fewest that reach this probability together; 1: all
  double min_p = 0.05;       // of these the ones at least that likely, relative to the most likely; 0: all
  double temperature = 0.8;  // divides the logits before the draw; 0: always the most likely token
  uint64_t seed = 0;
};

// Chooses the next token. The same options and the same logits give the same choices on every machine whose
// exp() and log() agree.
class Sampler {
 public:
  // Fails on a number that is out of range or not a number.
  static Result<Sampler> make(const SamplerOptions& options);

  // `logits` is not empty, one value for each token; minus infinity forbids a token. Fails when there is
  // nothing to choose from: a logit that is NaN or plus infinity, or none that is finite. Of equally likely
  // tokens the lowest id counts as the likelier.
  Result<TokenId> sample(std::span<const float> logits);

 private:
  struct Candidate {
    float logit = 0;
    TokenId id = 0;
  };

  explicit Sampler(const SamplerOptions& options) : options_(options), rng_(options.seed) {}
  static bool is_likelier(const Candidate& a, const Candidate& b);
  void keep_top_k();
  void keep_top_p();
  void keep_min_p();
  TokenId draw();

  SamplerOptions options_;
  Rng rng_;
  std::vector<Candidate> candidates_;  // of the token being chosen; here to be allocated once
  std::vector<double> weights_;        // of each candidate, not normalised
};

// The natural logarithm of the probability that a softmax of `logits` gives to `id`, which is one of theirs.
// NaN when a logit is.
double log_probability(std::span<const float> logits, TokenId id);

}  // namespace spillway
