#include "core/plugins.h"
#include "policies/hints.h"

namespace spillway::prefetch {
namespace {

// What a predictor said when the step was made. Its confidence is how often it was right.
class Recorded final : public Prefetcher {
 public:
  Recorded(uint32_t ahead, double min_confidence, const ModelGeometry& geometry)
      : geometry_(geometry), ahead_(ahead), scorecard_(geometry, min_confidence) {}

  void observe(const Step& step) override { scorecard_.observe(step); }

  void propose(const Step& now, HintList& out) override {
    for (size_t rank = 0; rank < now.lookahead.size(); ++rank) {
      if (ahead_ == 0 || geometry_.layer_of(now.lookahead[rank]) <= now.layer + ahead_) {
        scorecard_.propose(now, now.lookahead[rank], rank, out);
      }
    }
  }

 private:
  const ModelGeometry& geometry_;
  const uint32_t ahead_;  // layers; 0: all that there is
  RankScorecard scorecard_;
};

struct RecordedOptions {
  double min_confidence = 0;

  template <class V>
  void visit(V& v) {
    v("min_confidence", min_confidence, "leaves out ranks that were right less often than this, 0 to 1");
  }
};

Result<std::unique_ptr<Prefetcher>> make_recorded(const RecordedOptions& options, const PolicyEnv& env) {
  if (!env.source->has_lookahead) {
    return wrong_usage(
        "recorded needs the predictions of a trace's look-ahead column, which this source lacks");
  }
  return std::make_unique<Recorded>(0, options.min_confidence, env.source->geometry);
}

struct RouterOptions {
  uint32_t ahead = 1;
  double min_confidence = 0;

  template <class V>
  void visit(V& v) {
    v("ahead", ahead, "layers whose routers are asked, from 1");
    v("min_confidence", min_confidence, "leaves out ranks that were right less often than this, 0 to 1");
  }
};

Result<std::unique_ptr<Prefetcher>> make_router(const RouterOptions& options, const PolicyEnv& env) {
  if (options.ahead == 0 || options.ahead > 1024) {
    return wrong_usage("router: ahead={} is not a number of layers from 1 to 1024", options.ahead);
  }
  if (!env.source->has_lookahead) {
    return wrong_usage(
        "router needs a model that runs (spillway record), or a trace with a look-ahead column "
        "(record --lookahead {})",
        options.ahead);
  }
  return std::make_unique<Recorded>(options.ahead, options.min_confidence, env.source->geometry);
}

}  // namespace

PrefetchPlugin recorded() {
  return plugin("recorded", "what the trace's own look-ahead column predicts", make_recorded);
}

PrefetchPlugin router() {
  return plugin("router", "what the next layers' routers make of this layer's hidden state", make_router);
}

}  // namespace spillway::prefetch
