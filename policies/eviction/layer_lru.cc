#include <algorithm>

#include "core/plugins.h"
#include "policies/id_lists.h"

namespace spillway::eviction {
namespace {

// Returns how many experts of each layer fit when every layer holds equally many.
uint32_t layer_share(const ModelGeometry& geometry, uint64_t capacity_bytes) {
  uint64_t one_of_each = 0;
  for (const uint64_t bytes : geometry.expert_bytes) {
    one_of_each += bytes;
  }
  const uint64_t fit = one_of_each == 0 ? 0 : capacity_bytes / one_of_each;
  return uint32_t(std::clamp<uint64_t>(fit, 1, geometry.experts_per_layer));
}

// LRU within a layer, with a share of the cache for each layer. In one global order, the layers computed
// between two uses of an expert push that expert out. Here a layer competes only with itself once every
// layer has its share.
class LayerLru final : public EvictionPolicy {
 public:
  LayerLru(const ModelGeometry& geometry, uint64_t capacity_bytes)
      : geometry_(geometry),
        share_(layer_share(geometry, capacity_bytes)),
        by_use_(geometry.expert_count(), geometry.layers) {}

  void admitted(const Access& access) override { by_use_.push_back(access.expert, layer_of(access.expert)); }
  void touched(const Access& access) override {
    by_use_.move_to_back(access.expert, layer_of(access.expert));
  }
  void removed(ExpertId expert) override { by_use_.erase(expert, layer_of(expert)); }

  std::optional<ExpertId> victim(const Access& incoming, Evictable may_go) override {
    const uint32_t own = layer_of(incoming.expert);
    if (by_use_.size(own) >= share_) {
      if (const std::optional<ExpertId> found = by_use_.first(may_go, own)) {
        return found;
      }
    }
    return from_largest(own, may_go);
  }

 private:
  uint32_t layer_of(ExpertId id) const { return geometry_.layer_of(id); }

  // Takes from the layer that holds most experts. Among layers with equally many, the layer whose turn is
  // farthest away gives: the nearest one before `own`.
  std::optional<ExpertId> from_largest(uint32_t own, Evictable may_go) const {
    std::optional<ExpertId> best;
    uint32_t best_size = 0;
    for (uint32_t back = 1; back <= geometry_.layers; ++back) {
      const uint32_t layer = (own + geometry_.layers - back) % geometry_.layers;
      if (by_use_.size(layer) > best_size) {
        if (const std::optional<ExpertId> found = by_use_.first(may_go, layer)) {
          best = found;
          best_size = by_use_.size(layer);
        }
      }
    }
    return best;
  }

  const ModelGeometry& geometry_;
  uint32_t share_;  // experts a layer
  IdLists by_use_;  // one list a layer
};

Result<std::unique_ptr<EvictionPolicy>> make(const NoOptions&, const PolicyEnv& env) {
  return std::make_unique<LayerLru>(env.source->geometry, env.capacity_bytes);
}

}  // namespace

EvictionPlugin layer_lru() {
  return plugin("layer-lru", "LRU within each layer, every layer with an equal share", make);
}

}  // namespace spillway::eviction
