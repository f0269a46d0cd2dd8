#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/ports.h"
#include "core/rng.h"
#include "traces/stats.h"

// Synthetic traces that behave like real ones. In the model of a router, each choice of a token is either
// copied from a recent token of the same layer or drawn by popularity. The distance of the copied token is
// drawn too, by octaves: 1, 2, 3–4, 5–8, … 33–64 tokens back. Popularity gives the hit rate of large caches,
// the copies give reuse at each distance.
namespace spillway {

inline constexpr size_t kOctaves = 7;

struct RouterModel {
  std::array<double, kOctaves> copy{};          // probability that a choice is copied from each octave
  std::vector<std::vector<double>> popularity;  // per layer: relative odds of each expert when drawn
  // The number of cards in the deck from which experts are drawn; the deck is shuffled anew after its last
  // card. After `deck` draws every expert has had its share, rare ones too, as in the trace that the model
  // was fitted to. 0: each draw is independent.
  uint32_t deck = 0;

  double copy_total() const;
};

// The mean reuse over the lags of each octave, to which a model is fitted.
using ReuseProfile = std::array<double, kOctaves>;
ReuseProfile octave_means(const std::array<double, kMaxLag>& reuse);

// Makes a model with Zipf popularity of exponent `skew`, separate favourites for every layer, and enough
// copies of the last token that reuse at lag 1 becomes `reuse`. Fails, with the possible range, when
// popularity alone gives more reuse or no amount of copying gives as much.
Result<RouterModel> make_router_model(const ModelGeometry& geometry, double skew, double reuse,
                                      uint64_t seed);

// Makes a model whose traces have the popularity per layer and the reuse profile of the trace that
// `observed` has seen.
Result<RouterModel> fit_router_model(const ModelGeometry& geometry, const StatsCollector& observed);

// Makes `decode_tokens` decode passes, after one prefill pass of `prefill_tokens` if that is not 0.
class SynthSource final : public StepSource {
 public:
  SynthSource(const ModelGeometry& geometry, RouterModel model, uint32_t prefill_tokens,
              uint64_t decode_tokens, uint64_t seed);

  const SourceInfo& info() const override { return info_; }
  Result<bool> next(Step& step) override;

 private:
  // The choices of a layer's last 64 tokens, and the tables to draw from its popularity.
  struct Layer {
    std::vector<double> cumulative;
    std::vector<uint16_t> deck;
    size_t dealt = 0;
    std::vector<uint16_t> recent;  // ring of 64 × top-k
    uint64_t tokens = 0;
  };

  void route_token(uint32_t number, std::vector<uint16_t>& choices);
  // Each of these functions returns an expert that the current token has not chosen yet.
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
  std::vector<uint32_t> with_experts_;  // the layers with experts
  std::vector<bool> chosen_;            // scratch: the experts that the current token chose
  std::vector<bool> seen_;              // scratch of collect_distinct()
  uint64_t pass_ = 0;
  size_t place_ = 0;  // index in with_experts_
  uint64_t index_ = 0;
};

}  // namespace spillway
