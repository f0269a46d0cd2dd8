#include "core/plugins.h"

namespace spillway::prefetch {
namespace {

// Proposes nothing: the baseline of all prefetchers.
class None final : public Prefetcher {
 public:
  void observe(const Step&) override {}
  void propose(const Step&, HintList&) override {}
};

Result<std::unique_ptr<Prefetcher>> make(const NoOptions&, const PolicyEnv&) {
  return std::make_unique<None>();
}

}  // namespace

PrefetchPlugin none() {
  return plugin("none", "reads on demand only", make, {.does_nothing = true});
}

}  // namespace spillway::prefetch
