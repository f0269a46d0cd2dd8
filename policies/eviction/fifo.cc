#include "core/plugins.h"
#include "policies/id_lists.h"

namespace spillway::eviction {
namespace {

// Evicts the expert that arrived first, whatever happened since.
class Fifo final : public EvictionPolicy {
 public:
  explicit Fifo(const ModelGeometry& geometry) : by_arrival_(geometry.expert_count()) {}

  void admitted(const Access& access) override { by_arrival_.push_back(access.expert); }
  void touched(const Access&) override {}
  void removed(ExpertId expert) override { by_arrival_.erase(expert); }
  std::optional<ExpertId> victim(const Access&, Evictable may_go) override {
    return by_arrival_.first(may_go);
  }

 private:
  IdLists by_arrival_;
};

Result<std::unique_ptr<EvictionPolicy>> make(const NoOptions&, const PolicyEnv& env) {
  return std::make_unique<Fifo>(env.source->geometry);
}

}  // namespace

EvictionPlugin fifo() {
  return plugin("fifo", "the expert that has been there longest goes first", make,
                {.rule = EvictionRule::first_in});
}

}  // namespace spillway::eviction
