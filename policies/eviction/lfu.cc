#include <algorithm>
#include <compare>

#include "core/plugins.h"
#include "policies/id_heap.h"
#include "policies/undemanded.h"

namespace spillway::eviction {
namespace {

struct Options {
  uint64_t halve_every = 0;
  bool keep = true;

  template <class V>
  void visit(V& v) {
    v("halve_every", halve_every, "number of steps after which all use counts are halved; 0: never");
    v("keep", keep, "an expert that returns to the cache keeps the use count it had when it left");
  }
};

// Evicts the expert with the fewest uses, and among equals the least recently used one. By default counts
// outlive eviction: Breslau et al. call this perfect LFU, as opposed to in-cache LFU ("Web caching and
// Zipf-like distributions", INFOCOM 1999). It is the rule of BigMoeOnEdge's published curves
// (docs/CLAIMS.md). Halving lets an expert that was popular once leave in the end (the ageing of Robinson and
// Devarakonda, "Data cache management using frequency-based replacement", SIGMETRICS 1990).
class Lfu final : public EvictionPolicy {
 public:
  Lfu(const Options& options, const ModelGeometry& geometry)
      : options_(options),
        order_(geometry.expert_count()),
        counts_(geometry.expert_count(), 0),
        undemanded_(geometry.expert_count()) {}

  void admitted(const Access& access) override {
    undemanded_.admitted(access);
    order_.insert(access.expert, use(access, 1));
  }
  void touched(const Access& access) override {
    order_.change(access.expert, use(access, undemanded_.take(access.expert) ? 0 : 1));
  }

  void removed(ExpertId expert) override {
    order_.erase(expert);
    uint64_t& count = counts_[index_of(expert)];
    if (undemanded_.take(expert) && count > 0) {  // the use it was admitted for never came
      --count;
    }
    if (!options_.keep) {
      count = 0;
    }
  }

  std::optional<ExpertId> victim(const Access&, Evictable may_go) override { return order_.first(may_go); }

 private:
  struct Key {
    uint64_t count = 0;
    uint64_t last_use = 0;  // running number of the use
    auto operator<=>(const Key&) const = default;
  };

  Key use(const Access& access, uint64_t uses) {
    age(access.step);
    return {counts_[index_of(access.expert)] += uses, ++uses_};
  }

  void age(uint64_t step) {
    const uint64_t due = options_.halve_every == 0 ? 0 : step / options_.halve_every;
    if (due <= halvings_) {
      return;
    }
    const uint64_t shift = std::min<uint64_t>(due - halvings_, 63);
    halvings_ = due;
    for (uint64_t& count : counts_) {
      count >>= shift;
    }
    order_.change_all([shift](Key& key) { key.count >>= shift; });
  }

  Options options_;
  IdHeap<Key> order_;
  std::vector<uint64_t> counts_;  // by expert, whether it is in the cache or not
  Undemanded undemanded_;
  uint64_t uses_ = 0;
  uint64_t halvings_ = 0;
};

// Only counts that are never halved nor forgotten are a curve's.
Traits traits(const Options& options) {
  const bool perfect = options.halve_every == 0 && options.keep;
  return {.rule = perfect ? EvictionRule::least_frequent : EvictionRule::other};
}

Result<std::unique_ptr<EvictionPolicy>> make(const Options& options, const PolicyEnv& env) {
  return std::make_unique<Lfu>(options, env.source->geometry);
}

}  // namespace

EvictionPlugin lfu() {
  return plugin("lfu", "the expert with the fewest uses goes first", make, traits);
}

}  // namespace spillway::eviction
