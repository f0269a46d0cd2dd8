#include "core/plugins.h"
#include "policies/hints.h"

namespace spillway::prefetch {
namespace {

struct Options {
  double min_confidence = 0;

  template <class V>
  void visit(V& v) {
    v("min_confidence", min_confidence, "leaves out ranks that were right less often than this, 0 to 1");
  }
};

// What a predictor said when the trace was recorded. Its confidence is how often it was right.
class Recorded final : public Prefetcher {
 public:
  Recorded(const Options& options, const ModelGeometry& geometry)
      : scorecard_(geometry, options.min_confidence) {}

  void observe(const Step& step) override { scorecard_.observe(step); }

  void propose(const Step& now, HintList& out) override {
    for (size_t rank = 0; rank < now.lookahead.size(); ++rank) {
      scorecard_.propose(now, now.lookahead[rank], rank, out);
    }
  }

 private:
  RankScorecard scorecard_;
};

Result<std::unique_ptr<Prefetcher>> make(const Options& options, const PolicyEnv& env) {
  if (!env.source->has_lookahead) {
    return wrong_usage(
        "recorded needs the predictions of a trace's look-ahead column, which this source lacks");
  }
  return std::make_unique<Recorded>(options, env.source->geometry);
}

}  // namespace

PrefetchPlugin recorded() {
  return plugin("recorded", "what the trace's own look-ahead column predicts", make);
}

}  // namespace spillway::prefetch
