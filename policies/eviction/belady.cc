#include "core/plugins.h"
#include "policies/id_heap.h"

namespace spillway::eviction {
namespace {

// Evicts the expert with the farthest next use. Among policies that must make room for every miss, none
// misses less often (Belady, "A study of replacement algorithms for a virtual-storage computer", IBM
// Systems Journal 5(2), 1966; Mattson et al., 1970), provided that all experts have the same size and
// none is prefetched.
class Belady final : public EvictionPolicy {
 public:
  explicit Belady(const ModelGeometry& geometry)
      : order_(geometry.expert_count()), next_uses_(geometry.expert_count(), 0) {}

  void admitted(const Access& access) override { order_.insert(access.expert, key(access)); }
  void touched(const Access& access) override { order_.change(access.expert, key(access)); }
  void removed(ExpertId expert) override { order_.erase(expert); }
  std::optional<ExpertId> victim(const Access&, Evictable may_go) override { return order_.first(may_go); }

 private:
  // The heap has the smallest key in front. A prefetch brings no next use, so the one of the expert's
  // last demand stays. An expert that was never demanded counts as wanted at once: somebody had a
  // reason to fetch it.
  uint64_t key(const Access& access) {
    uint64_t& next_use = next_uses_[index_of(access.expert)];
    if (!access.prefetch || next_use <= access.step) {
      next_use = access.next_use;
    }
    return kNeverUsedAgain - next_use;
  }

  IdHeap<uint64_t> order_;
  std::vector<uint64_t> next_uses_;  // by expert, as of its last demand
};

Result<std::unique_ptr<EvictionPolicy>> make(const NoOptions&, const PolicyEnv& env) {
  if (!env.source->has_next_use) {
    return wrong_usage(
        "belady needs to know the next use of every expert, which only a recorded trace has: "
        "replay or simulate a trace with it");
  }
  return std::make_unique<Belady>(env.source->geometry);
}

}  // namespace

EvictionPlugin belady() {
  return plugin("belady", "the expert whose next use is farthest away goes first: the bound", make,
                {.knows_future = true, .rule = EvictionRule::farthest_next_use});
}

}  // namespace spillway::eviction
