#include "core/plugins.h"
#include "policies/id_lists.h"

namespace spillway::eviction {
namespace {

// Evicts the expert whose last use is oldest. That is worth nothing on a cycle longer than the cache, and a
// sequence of tokens is such a cycle.
class Lru final : public EvictionPolicy {
 public:
  explicit Lru(const ModelGeometry& geometry) : by_use_(geometry.expert_count()) {}

  void admitted(const Access& access) override { by_use_.push_back(access.expert); }
  void touched(const Access& access) override { by_use_.move_to_back(access.expert); }
  void removed(ExpertId expert) override { by_use_.erase(expert); }
  std::optional<ExpertId> victim(const Access&, Evictable may_go) override { return by_use_.first(may_go); }

 private:
  IdLists by_use_;
};

Result<std::unique_ptr<EvictionPolicy>> make(const NoOptions&, const PolicyEnv& env) {
  return std::make_unique<Lru>(env.source->geometry);
}

}  // namespace

EvictionPlugin lru() {
  return plugin("lru", "the least recently used expert goes first", make,
                {.rule = EvictionRule::least_recent});
}

}  // namespace spillway::eviction
