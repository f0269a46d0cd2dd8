#include "core/plugins.h"
#include "policies/lookahead.h"

namespace spillway::prefetch {
namespace {

struct Options {
  uint32_t ahead = 1;
  double min_confidence = 0;

  template <class V>
  void visit(V& v) {
    v("ahead", ahead, "number of layers ahead whose routers are asked, from 1");
    v("min_confidence", min_confidence, "leave out ranks that were right less often than this, 0 to 1");
  }
};

// A live model asks its own routers; a trace has the answers that they gave during the recording.
Result<std::unique_ptr<Prefetcher>> make(const Options& options, const PolicyEnv& env) {
  constexpr uint32_t kMostLayers = 1024;
  if (options.ahead == 0 || options.ahead > kMostLayers) {
    return wrong_usage("router: ahead={} is not between 1 and {} layers", options.ahead, kMostLayers);
  }
  if (!env.source->has_lookahead) {
    return wrong_usage(
        "router needs a running model (spillway record), or a trace with a look-ahead column "
        "(record --lookahead {})",
        options.ahead);
  }
  return std::make_unique<LookaheadPrefetcher>(env.source->geometry, options.ahead, options.min_confidence);
}

}  // namespace

PrefetchPlugin router() {
  return plugin("router", "proposes what the next layers' routers choose from this layer's hidden state",
                make, [](const Options& options) { return Traits{.lookahead = options.ahead}; });
}

}  // namespace spillway::prefetch
