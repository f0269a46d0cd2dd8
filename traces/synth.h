#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/ports.h"
#include "core/rng.h"
#include "traces/stats.h"

// Made-up traces that behave like real ones. The model of a router: each choice of a token is either copied
// from a recent token of the same layer or drawn by popularity. How recent is drawn too, by octaves: 1, 2,
// 3–4, 5–8, … 33–64 tokens back. Popularity gives the hit rate of large caches, the copies give reuse at each
// distance.
namespace spillway {

inline constexpr size_t kOctaves = 7;

struct RouterModel {
  std::array<double, kOctaves> copy{};          // probability that a choice is copied from that far back
  std::vector<std::vector<double>> popularity;  // per layer: relative odds of each expert when drawn
  // Draws come from a deck of this many cards, dealt to the last before it is shuffled anew: after so many
  // draws every expert has had its share, rare ones too, as in the trace that the model was fitted to. 0:
  // each draw is independent.
  uint32_t deck = 0;

  double copy_total() const;
};

// Mean reuse over the lags of each octave: what a model is fitted to.
using ReuseProfile = std::array<double, kOctaves>;
ReuseProfile octave_means(const std::array<double, kMaxLag>& reuse);

// Zipf popularity of exponent `skew`, every layer with its own favourites, and copies of the last token so
// often that reuse at lag 1 becomes `reuse`. Fails, saying what is possible, when popularity alone gives more
// reuse than that or no amount of copying gives as much.
Result<RouterModel> make_router_model(const ModelGeometry& geometry, double skew, double reuse,
                                      uint64_t seed);

// The model whose traces have the popularity per layer and the reuse profile of the trace that `observed`
// has seen.
Result<RouterModel> fit_router_model(const ModelGeometry& geometry, const StatsCollector& observed);

// `decode_tokens` decode passes, after one prefill pass of `prefill_tokens` if that is not 0.
class SynthSource final : public StepSource {
 public:
  SynthSource(const ModelGeometry& geometry, RouterModel model, uint32_t prefill_tokens,
              uint64_t decode_tokens, uint64_t seed);

  const SourceInfo& info() const override { return info_; }
  Result<bool> next(Step& step) override;

 private:
  // What a layer's last 64 tokens chose, and how to draw from its popularity.
  struct Layer {
    std::vector<double> cumulative;
    std::vector<uint16_t> deck;
    size_t dealt = 0;
    std::vector<uint16_t> recent;  // ring of 64 × top-k
    uint64_t tokens = 0;
  };

  void route_token(uint32_t number, std::vector<uint16_t>& choices);
  // Each of these returns an expert that the current token has not chosen yet.
  uint16_t copy_or_draw(Layer& layer, const std::vector<double>& odds);
  uint16_t draw(Layer& layer, const std::vector<double>& odds);
  uint16_t deal(Layer& layer, const std::vector<double>& odds);
  uint16_t next_unchosen(uint32_t expert) const;

  SourceInfo info_;
  RouterModel model_;
  uint32_t prefill_tokens_;
  uint64_t passes_;
  Rng rng_;
  std::vector<Layer> layers_;
  std::vector<uint32_t> with_experts_;  // the layers that have any
  std::vector<bool> chosen_;            // scratch: by the current token
  std::vector<bool> seen_;              // scratch of collect_distinct()
  uint64_t pass_ = 0;
  size_t place_ = 0;  // in with_experts_
  uint64_t index_ = 0;
};

}  // namespace spillway
