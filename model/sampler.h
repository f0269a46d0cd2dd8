#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"
#include "core/rng.h"
#include "model/text/vocabulary.h"

namespace spillway {

// The limits on the tokens that may follow, in the order in which they are applied. Each limit works on the
// probabilities of the tokens that the one before has left. The temperature changes only the final draw.
struct SamplerOptions {
  uint32_t top_k = 40;       // keep the k most likely tokens; 0: all
  double top_p = 0.95;       // keep the fewest that reach this probability together; 1: all
  double min_p = 0.05;       // keep those at least this likely, relative to the most likely; 0: all
  double temperature = 0.8;  // divides the logits before the draw; 0: always the most likely token
  uint64_t seed = 0;
};

// Chooses the next token. The same options and the same logits give the same choices on every machine whose
// exp() and log() agree.
class Sampler {
 public:
  // Fails when an option is out of range or NaN.
  static Result<Sampler> make(const SamplerOptions& options);

  // Chooses the next token. `logits` is not empty and has one value for each token; minus infinity forbids a
  // token. Of equally likely tokens the lowest id counts as the likelier. Fails when a logit is NaN or plus
  // infinity, or when no logit is finite.
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
  std::vector<Candidate> candidates_;  // for the token being chosen; a member to be allocated once
  std::vector<double> weights_;        // of each candidate, not normalised
};

// Returns the natural logarithm of the probability that a softmax of `logits` gives to `id`, an index of
// `logits`. NaN when a logit is.
double log_probability(std::span<const float> logits, TokenId id);

}  // namespace spillway
