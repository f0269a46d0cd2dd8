#include <algorithm>
#include <compare>

#include "core/plugins.h"
#include "policies/id_heap.h"

namespace spillway::eviction {
namespace {

// Least-Stale (Hoang, Jaiswal, Samragh, Cho, "SpecMD: a comprehensive study on speculative expert
// prefetching", arXiv 2602.03921, 2026). A forward pass goes through the layers in order. An expert that the
// current pass has used is therefore not needed before the next pass, and neither is a left-over of an
// earlier pass whose layer has gone by. Experts that the current pass has not used are stale and go before
// those that it has used; within both groups the lowest layer goes first.
//
// The paper's code is not public, and its text was not available here. This is the rule as people who
// reproduced it describe it: two queues, stale before current, each first in, first out by the position of
// the layer. Their descriptions leave two points open. Within a layer, the least recently used expert goes
// first here. A prefetched expert belongs to the pass that it is prefetched for, which is the next pass
// unless its layer is still to come. A pass begins with a demand in a layer that does not come after the
// layer of the step before.
class LeastStale final : public EvictionPolicy {
 public:
  explicit LeastStale(const ModelGeometry& geometry)
      : geometry_(geometry),
        stale_(geometry.expert_count()),
        current_(geometry.expert_count()),
        passes_(geometry.expert_count(), 0) {}

  void admitted(const Access& access) override {
    const uint32_t layer = geometry_.layer_of(access.expert);
    if (!access.prefetch) {
      enter_step(access);
    }
    passes_[index_of(access.expert)] = pass_ + (access.prefetch && layer <= layer_ ? 1 : 0);
    current_.insert(access.expert, {layer, ++uses_});
  }

  void touched(const Access& access) override {
    enter_step(access);
    removed(access.expert);
    passes_[index_of(access.expert)] = pass_;
    current_.insert(access.expert, {geometry_.layer_of(access.expert), ++uses_});
  }

  void removed(ExpertId expert) override { (stale_.contains(expert) ? stale_ : current_).erase(expert); }

  std::optional<ExpertId> victim(const Access& incoming, Evictable may_go) override {
    const uint64_t pass = pass_ + (!incoming.prefetch && begins_pass(incoming) ? 1 : 0);
    const auto left_over = [&](ExpertId id) { return passes_[index_of(id)] < pass && may_go(id); };
    const std::optional<ExpertId> stale = stale_.first(may_go);
    // The first demand of a pass comes before the policy knows of the pass: the pass that
    // ends is already stale.
    const std::optional<ExpertId> just_stale = pass == pass_ ? std::nullopt : current_.first(left_over);
    if (stale && just_stale) {
      return stale_.key_of(*stale) < current_.key_of(*just_stale) ? stale : just_stale;
    }
    if (stale || just_stale) {
      return stale ? stale : just_stale;
    }
    return current_.first(may_go);
  }

 private:
  struct Key {
    uint32_t layer = 0;
    uint64_t last_use = 0;  // running number of the use
    auto operator<=>(const Key&) const = default;
  };

  bool begins_pass(const Access& demand) const {
    return demand.step != step_ && geometry_.layer_of(demand.expert) <= layer_;
  }

  void enter_step(const Access& demand) {
    if (begins_pass(demand)) {
      ++pass_;
      const auto left_over = [this](ExpertId id) { return passes_[index_of(id)] < pass_; };
      while (const std::optional<ExpertId> id = current_.first(left_over)) {
        stale_.insert(*id, current_.key_of(*id));
        current_.erase(*id);
      }
    }
    step_ = demand.step;
    layer_ = geometry_.layer_of(demand.expert);
  }

  const ModelGeometry& geometry_;
  IdHeap<Key> stale_;
  IdHeap<Key> current_;
  std::vector<uint64_t> passes_;  // by expert: the latest pass that used it, or that it was prefetched for
  uint64_t pass_ = 0;
  uint64_t step_ = 0;
  uint32_t layer_ = 0;
  uint64_t uses_ = 0;
};

Result<std::unique_ptr<EvictionPolicy>> make(const NoOptions&, const PolicyEnv& env) {
  return std::make_unique<LeastStale>(env.source->geometry);
}

}  // namespace

EvictionPlugin least_stale() {
  return plugin("least-stale", "experts that this forward pass has not used go first, low layers before high",
                make);
}

}  // namespace spillway::eviction
