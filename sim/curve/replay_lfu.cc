#include "sim/curve/expert_sizes.h"
#include "sim/curve/key_queue.h"
#include "sim/curve/replay.h"

// LFU with the rule of policies/eviction/lfu.cc: counts outlive eviction, and of equal counts the oldest use
// goes first. The state of an expert is one word: in its upper half the count; in its lower half the position
// of the last use plus one, or 0 when the expert is not in the cache. A hit changes only that word. The heap
// holds the same words and is updated lazily, when an outdated word comes to its front. A position determines
// the expert, so the heap need hold nothing but words.
namespace spillway {
namespace {

constexpr uint64_t kCountOne = uint64_t(1) << 32;

constexpr uint32_t use_in(uint64_t word) {
  return uint32_t(word);
}

template <class Sizes>
class LfuReplay {
 public:
  LfuReplay(const AccessStream& stream, Sizes sizes, uint64_t capacity)
      : experts_(stream.experts().data()),
        sizes_(std::move(sizes)),
        capacity_(capacity),
        words_(stream.geometry().expert_count(), 0),
        order_(stream.geometry().expert_count()) {}

  uint32_t look_up(uint32_t first, uint32_t last) {
    const uint64_t each = sizes_.of(experts_[first]);
    if (each * (last - first) > capacity_) {
      return look_up_surplus(first, last, each);
    }
    if (entering_.size() < last - first) {
      entering_.resize(last - first);
    }
    uint32_t misses = 0;
    for (uint32_t at = first; at < last; ++at) {
      uint64_t& word = words_[experts_[at]];
      const bool hit = use_in(word) != 0;
      word = used_at(word, at);
      entering_[misses] = word;
      misses += hit ? 0 : 1;
    }
    used_ += each * misses;
    if (used_ > capacity_) {
      make_room(first);
    }
    for (uint32_t i = 0; i < misses; ++i) {
      order_.insert(entering_[i]);
    }
    return last - first - misses;
  }

  uint32_t look_up_each(uint32_t first, uint32_t last) {
    uint32_t hits = 0;
    for (uint32_t at = first; at < last; ++at) {
      hits += look_up(at, at + 1);
    }
    return hits;
  }

 private:
  static uint64_t used_at(uint64_t word, uint32_t at) {
    return (word & ~(kCountOne - 1)) + kCountOne + at + 1;
  }
  uint32_t expert_of(uint64_t word) const { return experts_[use_in(word) - 1]; }

  // Evicts the experts with the lowest words until the rest fits. Those used at position `first` or
  // later are held and stay.
  void make_room(uint32_t first) {
    held_back_.clear();
    while (used_ > capacity_) {
      const uint64_t least = order_.take_least();
      uint64_t& word = words_[expert_of(least)];
      if (word != least) {
        order_.insert(word);
      } else if (use_in(word) > first) {
        held_back_.push_back(word);
      } else {
        used_ -= sizes_.of(expert_of(word));
        word &= ~(kCountOne - 1);
      }
    }
    for (const uint64_t word : held_back_) {
      order_.insert(word);
    }
  }

  // Same as in replay_lru.cc. The count of an expert that is not kept stays the same, since a policy does not
  // see such an expert.
  [[gnu::noinline]] uint32_t look_up_surplus(uint32_t first, uint32_t last, uint64_t each) {
    const uint64_t fit = capacity_ / each;
    if (fit == 0) {
      return 0;
    }
    uint32_t hits = 0;
    for (uint32_t at = first; at < last; ++at) {
      hits += use_in(words_[experts_[at]]) != 0 ? 1 : 0;
    }
    uint64_t room = fit - hits;
    for (uint32_t at = first; at < last; ++at) {
      uint64_t& word = words_[experts_[at]];
      const bool hit = use_in(word) != 0;
      if (hit || room > 0) {
        word = used_at(word, at);
        room -= hit ? 0 : 1;
      }
    }
    order_.for_each([&](uint64_t key) {
      uint64_t& word = words_[expert_of(key)];
      word &= use_in(word) <= first ? ~(kCountOne - 1) : ~uint64_t(0);
    });
    order_.clear();
    for (uint32_t at = first; at < last; ++at) {
      const uint64_t word = words_[experts_[at]];
      if (use_in(word) != 0) {
        order_.insert(word);
      }
    }
    used_ = fit * each;
    return hits;
  }

  const uint32_t* experts_;
  Sizes sizes_;
  uint64_t capacity_;
  std::vector<uint64_t> words_;      // by expert
  KeyQueue order_;                   // a word, outdated or current, of each expert in the cache
  std::vector<uint64_t> entering_;   // scratch
  std::vector<uint64_t> held_back_;  // scratch
  uint64_t used_ = 0;
};

}  // namespace

std::vector<uint64_t> replay_lfu(const AccessStream& stream, CacheSemantics semantics,
                                 uint64_t capacity_bytes) {
  return with_sizes(stream, capacity_bytes, [&](auto sizes, uint64_t capacity) {
    LfuReplay cache(stream, std::move(sizes), capacity);
    return count_hits(stream, semantics, cache);
  });
}

}  // namespace spillway
