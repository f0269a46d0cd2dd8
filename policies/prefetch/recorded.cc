#include "core/plugins.h"
#include "policies/lookahead.h"

namespace spillway::prefetch {
namespace {

struct Options {
  double min_confidence = 0;

  template <class V>
  void visit(V& v) {
    v("min_confidence", min_confidence, "leave out ranks that were right less often than this, 0 to 1");
  }
};

Result<std::unique_ptr<Prefetcher>> make(const Options& options, const PolicyEnv& env) {
  if (!env.source->has_lookahead) {
    return wrong_usage(
        "recorded needs a trace with a look-ahead column, which this one lacks; record --lookahead writes "
        "it");
  }
  return std::make_unique<LookaheadPrefetcher>(env.source->geometry, 0, options.min_confidence);
}

}  // namespace

PrefetchPlugin recorded() {
  return plugin("recorded", "proposes the predictions in the trace's own look-ahead column", make);
}

}  // namespace spillway::prefetch
