#include <algorithm>

#include "core/plugins.h"
#include "policies/sized_lists.h"
#include "policies/undemanded.h"

namespace spillway::eviction {
namespace {

// The paper's T1 and T2, the cached experts used once and those used again, and B1 and B2,
// the ghosts of each.
enum List : uint32_t { kOnce, kAgain, kOnceGhosts, kAgainGhosts, kLists };

// Two LRU lists whose shares learn from what was evicted too early (Megiddo and Modha, "ARC: a
// self-tuning, low overhead replacement cache", FAST 2003, figure 4). An expert that returns while its
// ghost is remembered gives the list it left a larger share. The paper counts pages; this policy counts
// bytes. So c is the cache's budget, and a returning expert moves the target by its own size times the
// ratio of the ghosts' bytes. Held experts are passed over; when every expert of the list that should give
// is held, the other list gives.
//
// A victim becomes a ghost before the expert that replaces it is known. So the ghosts are trimmed when
// that expert arrives, and the target learns from their sizes before the eviction: with pages this is
// the paper's order.
class Arc final : public EvictionPolicy {
 public:
  Arc(const ModelGeometry& geometry, uint64_t capacity_bytes)
      : geometry_(geometry),
        capacity_bytes_(usable_bytes(geometry, capacity_bytes)),
        lists_(geometry, kLists),
        undemanded_(geometry.expert_count()) {}

  void admitted(const Access& access) override {
    undemanded_.admitted(access);
    target_ = target_for(access.expert);
    const bool returns = lists_.in(access.expert, kOnceGhosts) || lists_.in(access.expert, kAgainGhosts);
    lists_.move_to_back(access.expert, returns ? kAgain : kOnce);
    trim_ghosts();
  }

  void touched(const Access& access) override {
    const bool first_use = undemanded_.take(access.expert);
    lists_.move_to_back(access.expert, first_use ? lists_.list_of(access.expert) : uint32_t{kAgain});
  }

  void removed(ExpertId expert) override {
    if (undemanded_.contains(expert)) {
      lists_.erase(expert);
    } else {
      lists_.move_to_back(expert, lists_.in(expert, kOnce) ? kOnceGhosts : kAgainGhosts);
    }
  }

  // The paper's REPLACE.
  std::optional<ExpertId> victim(const Access& incoming, Evictable may_go) override {
    const double target = target_for(incoming.expert);
    const double once = double(lists_.bytes(kOnce));
    const bool again_returns = lists_.in(incoming.expert, kAgainGhosts);
    const bool once_gives = once > target || (again_returns && once == target);
    const std::optional<ExpertId> found = lists_.first(may_go, once_gives ? kOnce : kAgain);
    return found ? found : lists_.first(may_go, once_gives ? kAgain : kOnce);
  }

 private:
  // Returns the target once `incoming` has arrived: the paper's cases II and III.
  double target_for(ExpertId incoming) const {
    const double size = double(geometry_.bytes_of(incoming));
    if (lists_.in(incoming, kOnceGhosts)) {
      return std::min(target_ + size * ratio(again_ghosts_, once_ghosts_), double(capacity_bytes_));
    }
    if (lists_.in(incoming, kAgainGhosts)) {
      return std::max(target_ - size * ratio(once_ghosts_, again_ghosts_), 0.0);
    }
    return target_;
  }

  static double ratio(uint64_t others, uint64_t own) {
    return others <= own || own == 0 ? 1.0 : double(others) / double(own);
  }

  // Keeps the two limits of the paper's case IV: the experts used once and their ghosts have no more bytes
  // than the cache, and all four lists no more than twice that.
  void trim_ghosts() {
    const uint64_t once = lists_.bytes(kOnce);
    lists_.shrink(kOnceGhosts, capacity_bytes_ - std::min(once, capacity_bytes_));
    const uint64_t others = once + lists_.bytes(kOnceGhosts) + lists_.bytes(kAgain);
    const uint64_t most = 2 * capacity_bytes_;
    lists_.shrink(kAgainGhosts, most - std::min(others, most));
    once_ghosts_ = lists_.bytes(kOnceGhosts);
    again_ghosts_ = lists_.bytes(kAgainGhosts);
  }

  const ModelGeometry& geometry_;
  uint64_t capacity_bytes_;
  SizedLists lists_;
  Undemanded undemanded_;
  double target_ = 0;          // bytes that the experts used once should have; the paper's p
  uint64_t once_ghosts_ = 0;   // bytes of the ghosts after the latest arrival, before any eviction since
  uint64_t again_ghosts_ = 0;  // the same
};

Result<std::unique_ptr<EvictionPolicy>> make(const NoOptions&, const PolicyEnv& env) {
  return std::make_unique<Arc>(env.source->geometry, env.capacity_bytes);
}

}  // namespace

EvictionPlugin arc() {
  return plugin("arc", "experts used once and experts used again share the cache as their ghosts suggest",
                make);
}

}  // namespace spillway::eviction
