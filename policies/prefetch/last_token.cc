#include "core/plugins.h"
#include "policies/hints.h"
#include "policies/layer_ring.h"
#include "policies/token_rows.h"

namespace spillway::prefetch {
namespace {

struct Options {
  uint32_t ahead = 1;
  double min_confidence = 0;

  template <class V>
  void visit(V& v) {
    v("ahead", ahead, "number of layers ahead to propose experts for");
    v("min_confidence", min_confidence, "leave out ranks that were right less often than this, 0 to 1");
  }
};

// Proposes the experts that the previous token used in the layers to come: neighbouring tokens share experts
// more often than chance would have them.
class LastToken final : public Prefetcher {
 public:
  LastToken(const Options& options, const ModelGeometry& geometry)
      : ahead_(options.ahead),
        geometry_(geometry),
        ring_(geometry),
        last_(geometry.layers),
        scorecard_(geometry, options.min_confidence) {}

  void observe(const Step& step) override {
    scorecard_.observe(step);
    if (step.sequence != sequence_) {
      sequence_ = step.sequence;
      for (std::vector<ExpertId>& experts : last_) {
        experts.clear();
      }
    }
    last_[step.layer].clear();
    rows_.assign(geometry_, step);
    if (!rows_.empty()) {
      for (const uint16_t number : rows_.back()) {
        last_[step.layer].push_back(geometry_.id(step.layer, number));
      }
    }
  }

  void propose(const Step& now, HintList& out) override {
    for (uint32_t distance = 1; distance <= ahead_; ++distance) {
      const std::vector<ExpertId>& experts = last_[ring_.after(now.layer, distance)];
      for (size_t rank = 0; rank < experts.size(); ++rank) {
        scorecard_.propose(now, experts[rank], rank, out);
      }
    }
  }

 private:
  uint32_t ahead_;
  const ModelGeometry& geometry_;
  LayerRing ring_;
  uint32_t sequence_ = 0;
  TokenRows rows_;
  std::vector<std::vector<ExpertId>> last_;  // by layer
  RankScorecard scorecard_;
};

Result<std::unique_ptr<Prefetcher>> make(const Options& options, const PolicyEnv& env) {
  const ModelGeometry& geometry = env.source->geometry;
  if (const uint32_t most = LayerRing(geometry).size(); options.ahead < 1 || options.ahead > most) {
    return wrong_usage("last-token: ahead={} is not between 1 and the model's {} layers", options.ahead,
                       most);
  }
  return std::make_unique<LastToken>(options, geometry);
}

}  // namespace

PrefetchPlugin last_token() {
  return plugin("last-token", "proposes the experts that the previous token used in the next layers", make);
}

}  // namespace spillway::prefetch
