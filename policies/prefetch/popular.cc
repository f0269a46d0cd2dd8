#include <algorithm>

#include "core/plugins.h"
#include "policies/hints.h"
#include "policies/layer_ring.h"
#include "policies/token_rows.h"

namespace spillway::prefetch {
namespace {

struct Options {
  uint32_t ahead = 1;
  uint32_t count = 0;
  uint32_t window = 256;
  double min_confidence = 0;

  template <class V>
  void visit(V& v) {
    v("ahead", ahead, "number of layers ahead to propose experts for");
    v("count", count, "number of experts to propose for each layer; 0: as many as a token uses");
    v("window", window, "number of tokens over which the frequency is averaged");
    v("min_confidence", min_confidence, "leave out experts that are used less often than this, 0 to 1");
  }
};

// Proposes the experts that tokens used most often of late in the layers to come. The confidence is that
// frequency: a mean of all tokens so far and, once they fill the window, a running mean that forgets.
class Popular final : public Prefetcher {
 public:
  Popular(const Options& options, const ModelGeometry& geometry)
      : options_(options),
        geometry_(geometry),
        ring_(geometry),
        frequency_(geometry.expert_count(), 0.0F),
        tokens_(geometry.layers, 0) {
    if (options_.count == 0) {
      options_.count = geometry.used_top_k;
    }
  }

  void observe(const Step& step) override {
    rows_.assign(geometry_, step);
    const std::span<float> layer = of_layer(step.layer);
    for (uint32_t token = 0; token < rows_.size(); ++token) {
      tokens_[step.layer] = std::min(tokens_[step.layer] + 1, options_.window);
      const float share = 1.0F / float(tokens_[step.layer]);
      for (float& frequency : layer) {
        frequency *= 1.0F - share;
      }
      for (const uint16_t number : rows_[token]) {
        layer[number] += share;
      }
    }
  }

  void propose(const Step& now, HintList& out) override {
    for (uint32_t distance = 1; distance <= options_.ahead; ++distance) {
      const uint32_t layer = ring_.after(now.layer, distance);
      append_best(geometry_, layer, of_layer(layer), options_.count, options_.min_confidence, out);
    }
  }

 private:
  std::span<float> of_layer(uint32_t layer) {
    const size_t experts = geometry_.experts_per_layer;
    return std::span(frequency_).subspan(layer * experts, experts);
  }

  Options options_;
  const ModelGeometry& geometry_;
  LayerRing ring_;
  TokenRows rows_;
  std::vector<float> frequency_;  // [layer][expert], the share of tokens that use it
  std::vector<uint32_t> tokens_;  // by layer: tokens seen so far, up to the window
};

Result<std::unique_ptr<Prefetcher>> make(const Options& options, const PolicyEnv& env) {
  const ModelGeometry& geometry = env.source->geometry;
  if (const uint32_t most = LayerRing(geometry).size(); options.ahead < 1 || options.ahead > most) {
    return wrong_usage("popular: ahead={} is not between 1 and the model's {} layers", options.ahead, most);
  }
  if (options.window == 0) {
    return wrong_usage("popular: window=0 would learn from nothing; give at least 1");
  }
  return std::make_unique<Popular>(options, geometry);
}

}  // namespace

PrefetchPlugin popular() {
  return plugin("popular", "proposes the experts used most often of late in the next layers", make);
}

}  // namespace spillway::prefetch
