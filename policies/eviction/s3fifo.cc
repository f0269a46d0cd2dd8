#include "core/plugins.h"
#include "policies/second_chance.h"
#include "policies/undemanded.h"

namespace spillway::eviction {
namespace {

enum List : uint32_t { kSmall, kMain, kGhost, kLists };

constexpr uint32_t kMostUses = 3;

struct Options {
  double small = 0.1;
  double ghost = 0.9;
  uint32_t promote = 2;

  template <class V>
  void visit(V& v) {
    v("small", small, "share of the cache for new arrivals (the probation queue), 0 to 1");
    v("ghost", ghost,
      "bytes of experts to remember after they left probation, as a share of the cache, 0 to 1");
    v("promote", promote, "number of uses on probation that move an expert to the main queue, 1 to 3");
  }
};

// Three queues (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023, algorithm 1).
// Arrivals wait in a small queue. At its front, experts that were used there move on to the main queue; the
// others leave and are remembered as ghosts. A ghost that returns goes to the main queue at once. The main
// queue is a clock with counts of two bits. Shares are of the cache's bytes.
//
// This policy departs from the paper twice. The algorithm's lines 25 and 26 evict from a main queue
// that a promotion has made too large and then evict from the small queue as well. Here, as in the
// authors' own simulator (libCacheSim), a promotion evicts nothing: the next eviction finds the small
// queue below its share and takes from the main one. The second departure: held experts stay where they
// are, with their counts.
class S3Fifo final : public EvictionPolicy {
 public:
  S3Fifo(const Options& options, const ModelGeometry& geometry, uint64_t capacity_bytes)
      : promote_(options.promote),
        small_bytes_(options.small * double(capacity_bytes)),
        ghost_bytes_(share_of(capacity_bytes, options.ghost)),
        lists_(geometry, kLists),
        uses_(geometry.expert_count(), kMostUses),
        undemanded_(geometry.expert_count()) {
    promoted_.reserve(geometry.expert_count());
  }

  void admitted(const Access& access) override {
    choice_.reset();
    undemanded_.admitted(access);
    lists_.move_to_back(access.expert, lists_.in(access.expert, kGhost) ? kMain : kSmall);
    uses_.set_count(access.expert, 0);
  }

  void touched(const Access& access) override {
    choice_.reset();
    if (!undemanded_.take(access.expert)) {
      uses_.use(access.expert);
    }
  }

  void removed(ExpertId expert) override {
    if (choice_ && choice_->expert == expert) {
      settle();
    }
    choice_.reset();
    if (lists_.in(expert, kSmall) && !undemanded_.contains(expert)) {
      lists_.move_to_back(expert, kGhost);
      lists_.shrink(kGhost, ghost_bytes_);
    } else {
      lists_.erase(expert);
    }
  }

  // Only looks; promotions and lower counts are settled when the victim leaves.
  std::optional<ExpertId> victim(const Access&, Evictable may_go) override {
    promoted_.clear();
    if (double(lists_.bytes(kSmall)) >= small_bytes_) {
      choice_ = from_small(may_go);
    } else {
      choice_ = uses_.choose(lists_, kMain, may_go);
      if (!choice_) {
        choice_ = from_small(may_go);
      }
    }
    return choice_ ? std::optional(choice_->expert) : std::nullopt;
  }

 private:
  // Returns the first expert on probation that has fewer uses than a promotion takes. When all of them would
  // move on, they join the back of the main queue without counts, and the main queue gives up its first
  // expert without one.
  std::optional<SecondChance::Choice> from_small(Evictable may_go) {
    for (std::optional<ExpertId> at = lists_.front(kSmall); at; at = lists_.next(*at)) {
      if (!may_go(*at)) {
        continue;
      }
      if (uses_.count_of(*at) < promote_) {
        return SecondChance::Choice{*at, 0};
      }
      promoted_.push_back(*at);
    }
    const std::optional<SecondChance::Choice> of_main = uses_.choose(lists_, kMain, may_go);
    if (!promoted_.empty() && (!of_main || of_main->count > 0)) {
      return SecondChance::Choice{promoted_.front(), 0};
    }
    return of_main;
  }

  void settle() {
    for (const ExpertId id : promoted_) {
      lists_.move_to_back(id, kMain);
      uses_.set_count(id, 0);
    }
    if (lists_.in(choice_->expert, kMain)) {
      uses_.settle(lists_, kMain, *choice_);
    }
  }

  uint32_t promote_;
  double small_bytes_;
  uint64_t ghost_bytes_;
  SizedLists lists_;
  SecondChance uses_;  // since the expert entered its queue, less what the main queue took
  Undemanded undemanded_;
  std::optional<SecondChance::Choice> choice_;  // the latest answer, while nothing has happened since
  std::vector<ExpertId> promoted_;              // the experts in front of the choice, which move on first
};

Result<std::unique_ptr<EvictionPolicy>> make(const Options& options, const PolicyEnv& env) {
  if (options.small > 1 || options.ghost > 1) {
    return wrong_usage("s3fifo: small is {} and ghost {}; both are shares of the cache, 0 to 1",
                       options.small, options.ghost);
  }
  if (options.promote < 1 || options.promote > kMostUses) {
    return wrong_usage("s3fifo: promote is {} and must be 1 to {}: no more uses are counted", options.promote,
                       kMostUses);
  }
  return std::make_unique<S3Fifo>(options, env.source->geometry,
                                  usable_bytes(env.source->geometry, env.capacity_bytes));
}

}  // namespace

EvictionPlugin s3fifo() {
  return plugin("s3fifo", "arrivals prove themselves in a small queue before they enter the main one", make);
}

}  // namespace spillway::eviction
