#include "sim/curve/expert_sizes.h"
#include "sim/curve/position_set.h"
#include "sim/curve/replay.h"

// Belady's rule over positions instead of experts. The cache's content is the set of positions at which its
// experts are used next. So the victim is the greatest number of the set, and a step's hits are its own
// positions that are still in it; no expert is ever looked up. Past positions stay in the set without harm,
// as the greatest is never one of them.
//
// Of experts with the same next step, the lowest number is evicted first, as in policies/id_heap.h; so within
// a step the lowest number has the greatest position. Experts that are never used again have positions behind
// the stream's end, in the same order.
namespace spillway {
namespace {

// Returns how many of experts[first, last) have a number above `expert`.
uint32_t rank_in(const uint32_t* experts, uint32_t first, uint32_t last, uint32_t expert) {
  uint32_t rank = 0;
  for (uint32_t at = first; at < last; ++at) {
    rank += experts[at] > expert ? 1 : 0;
  }
  return rank;
}

template <class Sizes>
class BeladyReplay {
 public:
  BeladyReplay(const AccessStream& stream, const NextUses& next_uses, Sizes sizes, uint64_t capacity)
      : experts_(stream.experts().data()),
        next_(next_uses.keys().data()),
        accesses_(stream.accesses()),
        last_expert_(stream.geometry().expert_count() - 1),
        sizes_(std::move(sizes)),
        capacity_(capacity),
        held_(uint64_t(accesses_) + last_expert_ + 1) {}

  uint32_t look_up(uint32_t first, uint32_t last) {
    const uint64_t each = sizes_.of(experts_[first]);
    if (each * (last - first) > capacity_) {
      return look_up_surplus(first, last, each);
    }
    const uint32_t hits = held_.count(first, last);
    used_ += each * (last - first - hits);
    while (used_ > capacity_) {
      evict(held_.greatest());
    }
    for (uint32_t at = first; at < last; ++at) {
      held_.insert(next_[at]);
    }
    return hits;
  }

  uint32_t look_up_each(uint32_t first, uint32_t last) {
    uint32_t hits = 0;
    for (uint32_t at = first; at < last; ++at) {
      const uint64_t each = sizes_.of(experts_[at]);
      if (each > capacity_) {
        continue;
      }
      if (held_.contains(at)) {
        ++hits;
      } else {
        used_ += each;
        while (used_ > capacity_) {
          evict(held_.greatest());
        }
      }
      held_.insert(next_[at]);
    }
    return hits;
  }

 private:
  void evict(uint32_t position) {
    held_.erase(position);
    const uint32_t expert = position < accesses_ ? experts_[position] : last_expert_ - (position - accesses_);
    used_ -= sizes_.of(expert);
  }

  // Same as in replay_lru.cc.
  [[gnu::noinline]] uint32_t look_up_surplus(uint32_t first, uint32_t last, uint64_t each) {
    const uint64_t fit = capacity_ / each;
    if (fit == 0) {
      return 0;
    }
    const uint32_t hits = held_.count(first, last);
    while (used_ > hits * each) {
      evict(held_.greatest());
    }
    uint64_t room = fit - hits;
    for (uint32_t at = first; at < last; ++at) {
      const bool hit = held_.contains(first + rank_in(experts_, first, last, experts_[at]));
      if (hit || room > 0) {
        held_.insert(next_[at]);
        room -= hit ? 0 : 1;
      }
    }
    used_ = fit * each;
    return hits;
  }

  const uint32_t* experts_;
  const uint32_t* next_;
  uint32_t accesses_;
  uint32_t last_expert_;
  Sizes sizes_;
  uint64_t capacity_;
  PositionSet held_;  // the next uses of the experts in the cache, and some past positions
  uint64_t used_ = 0;
};

}  // namespace

NextUses::NextUses(const AccessStream& stream, CacheSemantics semantics)
    : semantics_(semantics), keys_(stream.accesses()) {
  const uint32_t experts = stream.geometry().expert_count();
  std::vector<uint32_t> next(experts);
  for (uint32_t expert = 0; expert < experts; ++expert) {
    next[expert] = stream.accesses() + (experts - 1 - expert);
  }
  const uint32_t* used = stream.experts().data();
  for (size_t step = stream.steps().size() - 1; step-- > 0;) {
    const uint32_t first = stream.steps()[step].begin;
    const uint32_t last = stream.steps()[step + 1].begin;
    for (uint32_t at = first; at < last; ++at) {
      uint32_t& use = next[used[at]];
      keys_[at] = use;
      use = semantics == CacheSemantics::step ? first + rank_in(used, first, last, used[at]) : at;
    }
  }
}

std::vector<uint64_t> replay_belady(const AccessStream& stream, const NextUses& next_uses,
                                    uint64_t capacity_bytes) {
  return with_sizes(stream, capacity_bytes, [&](auto sizes, uint64_t capacity) {
    BeladyReplay cache(stream, next_uses, std::move(sizes), capacity);
    return count_hits(stream, next_uses.semantics(), cache);
  });
}

}  // namespace spillway
