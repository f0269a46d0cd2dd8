#include <algorithm>

#include "core/plugins.h"
#include "policies/sized_lists.h"
#include "policies/tiny_lfu.h"
#include "policies/undemanded.h"

namespace spillway::eviction {
namespace {

enum List : uint32_t { kWindow, kProbation, kProtected, kLists };

constexpr uint32_t kLongestSample = 1'000'000;

struct Options {
  double window = 0.01;
  double protect = 0.8;
  uint32_t sample = 10;

  template <class V>
  void visit(V& v) {
    v("window", window, "share of the cache for arrivals, 0 to 1; at least a token's experts of one layer");
    v("protect", protect, "share of the main part for experts that were used again there, 0 to 1");
    v("sample", sample, "number of uses after which counts are halved, in cachefuls; also the highest count");
  }
};

// W-TinyLFU (Einziger, Friedman, Manes, ACM Transactions on Storage 13(4), 2017, section 4; the counts are in
// policies/tiny_lfu.h). Arrivals stay in a small LRU window. An expert that falls out of the window is
// compared with the next victim of the main part: the one with fewer recent uses leaves, or the newcomer if
// they are equal. The main part is a segmented LRU: a use there takes an expert from probation to the
// protected segment, whose overflow goes back on probation. Shares are of bytes. The length of a sample is a
// multiple of the cache's bytes. A use is counted once it has been served.
//
// A held expert is passed over by the one that ranks next. A step holds its own arrivals, so a window too
// small for a token's experts would never have an expert to give up, and no newcomer would ever be turned
// away. The window therefore always has room for them.
class WTinyLfu final : public EvictionPolicy {
 public:
  WTinyLfu(const Options& options, const ModelGeometry& geometry, uint64_t capacity_bytes)
      : geometry_(geometry),
        window_bytes_(
            std::max(share_of(capacity_bytes, options.window), geometry.largest_token_step_bytes())),
        protected_bytes_(share_of(capacity_bytes - std::min(window_bytes_, capacity_bytes), options.protect)),
        lists_(geometry, kLists),
        uses_(geometry.expert_count(), options.sample * capacity_bytes, options.sample),
        undemanded_(geometry.expert_count()) {}

  void admitted(const Access& access) override {
    undemanded_.admitted(access);
    count(access.expert);
    lists_.move_to_back(access.expert, kWindow);
    while (lists_.bytes(kWindow) > window_bytes_) {
      lists_.move_to_back(*lists_.front(kWindow), kProbation);
    }
  }

  void touched(const Access& access) override {
    const uint32_t list = lists_.list_of(access.expert);
    if (undemanded_.take(access.expert)) {
      lists_.move_to_back(access.expert, list);
      return;
    }
    count(access.expert);
    lists_.move_to_back(access.expert, list == kWindow ? kWindow : kProtected);
    while (lists_.bytes(kProtected) > protected_bytes_) {
      lists_.move_to_back(*lists_.front(kProtected), kProbation);
    }
  }

  void removed(ExpertId expert) override { lists_.erase(expert); }

  std::optional<ExpertId> victim(const Access& incoming, Evictable may_go) override {
    const std::optional<ExpertId> from_window = lists_.first(may_go, kWindow);
    std::optional<ExpertId> from_main = lists_.first(may_go, kProbation);
    if (!from_main) {
      from_main = lists_.first(may_go, kProtected);
    }
    if (!from_window || !from_main) {
      return from_window ? from_window : from_main;
    }
    const bool falls_out = lists_.bytes(kWindow) + geometry_.bytes_of(incoming.expert) > window_bytes_;
    return falls_out && uses_.estimate(*from_window) <= uses_.estimate(*from_main) ? from_window : from_main;
  }

 private:
  void count(ExpertId id) { uses_.use(id, geometry_.bytes_of(id)); }

  const ModelGeometry& geometry_;
  uint64_t window_bytes_;
  uint64_t protected_bytes_;
  SizedLists lists_;
  TinyLfu uses_;
  Undemanded undemanded_;
};

Result<std::unique_ptr<EvictionPolicy>> make(const Options& options, const PolicyEnv& env) {
  if (options.window > 1 || options.protect > 1) {
    return wrong_usage("wtinylfu: window is {} and protect {}; both are shares, 0 to 1", options.window,
                       options.protect);
  }
  if (options.sample < 1 || options.sample > kLongestSample) {
    return wrong_usage("wtinylfu: sample is {} and must be 1 to {} times the cache", options.sample,
                       kLongestSample);
  }
  return std::make_unique<WTinyLfu>(options, env.source->geometry,
                                    usable_bytes(env.source->geometry, env.capacity_bytes));
}

}  // namespace

EvictionPlugin wtinylfu() {
  return plugin("wtinylfu",
                "a newcomer stays only if it was used more often than the expert it would replace", make);
}

}  // namespace spillway::eviction
