#include "core/plugins.h"
#include "policies/lookahead.h"

namespace spillway::prefetch {
namespace {

struct Options {
  double min_confidence = 0;

  template <class V>
  void visit(V& v) {
    v("min_confidence", min_confidence, "leaves out ranks that were right less often than this, 0 to 1");
  }
};

Result<std::unique_ptr<Prefetcher>> make(const Options& options, const PolicyEnv& env) {
  if (!env.source->has_lookahead) {
    return wrong_usage(
        "recorded needs the predictions of a trace's look-ahead column, which this source lacks");
  }
  return std::make_unique<LookaheadPrefetcher>(env.source->geometry, 0, options.min_confidence);
}

}  // namespace

PrefetchPlugin recorded() {
  return plugin("recorded", "what the trace's own look-ahead column predicts", make);
}

}  // namespace spillway::prefetch
