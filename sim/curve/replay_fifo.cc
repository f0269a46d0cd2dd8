#include <algorithm>
#include <bit>

#include "sim/curve/expert_sizes.h"
#include "sim/curve/replay.h"

// FIFO as a queue without gaps whose places are numbered from the start. An expert is in the cache exactly
// when the place at which it entered is not before the head. Evicting is moving the head. An expert that the
// step holds and that stands at the head is moved on to the new head.
namespace spillway {
namespace {

template <class Sizes>
class FifoReplay {
 public:
  FifoReplay(const AccessStream& stream, Sizes sizes, uint64_t capacity)
      : experts_(stream.experts().data()),
        sizes_(std::move(sizes)),
        capacity_(capacity),
        place_(stream.geometry().expert_count(), -1),
        queue_(std::bit_ceil(uint64_t(stream.geometry().expert_count()) + 1)),
        mask_(uint32_t(queue_.size() - 1)) {}

  uint32_t look_up(uint32_t first, uint32_t last) {
    const uint64_t each = sizes_.of(experts_[first]);
    if (each * (last - first) > capacity_) {
      return look_up_surplus(first, last, each);
    }
    // The loop has no branches, since hits are unpredictable: the place of a miss lies before the head, so
    // its unsigned distance from the head has the top bit set.
    const int32_t head = head_;
    int32_t tail = tail_;
    uint32_t nearest_hit = ~0U;
    for (uint32_t at = first; at < last; ++at) {
      const uint32_t expert = experts_[at];
      const int32_t place = place_[expert];
      const uint32_t distance = uint32_t(place - head);
      const int32_t miss = int32_t(distance >> 31);
      queue_[uint32_t(tail) & mask_] = expert;
      place_[expert] = place ^ ((place ^ tail) & -miss);
      nearest_hit = std::min(nearest_hit, distance);
      tail += miss;
    }
    const uint32_t misses = uint32_t(tail - tail_);
    tail_ = tail;
    used_ += each * misses;
    make_room(first, last, int32_t(std::min(nearest_hit, ~0U >> 1)));
    return last - first - misses;
  }

  uint32_t look_up_each(uint32_t first, uint32_t last) {
    uint32_t hits = 0;
    if (!Sizes::kUniform || capacity_ == 0) {
      for (uint32_t at = first; at < last; ++at) {
        hits += look_up(at, at + 1);
      }
      return hits;
    }
    // With one size, the head is always `length` places behind the tail, and no expert there is held.
    const int32_t length = int32_t(std::min<uint64_t>(capacity_, place_.size()));
    int32_t tail = tail_;
    for (uint32_t at = first; at < last; ++at) {
      const uint32_t expert = experts_[at];
      const int32_t place = place_[expert];
      const int32_t miss = int32_t(uint32_t(place - std::max(0, tail - length)) >> 31);
      place_[expert] = place ^ ((place ^ tail) & -miss);
      tail += miss;
    }
    hits = last - first - uint32_t(tail - tail_);
    tail_ = tail;
    return hits;
  }

 private:
  // Moves the head until the rest fits. The first held expert is at least `free_places` behind the head.
  void make_room(uint32_t first, uint32_t last, int32_t free_places) {
    if constexpr (Sizes::kUniform) {
      const int32_t surplus = used_ > capacity_ ? int32_t(used_ - capacity_) : 0;
      const int32_t step = std::min(surplus, free_places);
      head_ += step;
      used_ -= uint64_t(step);
    } else {
      for (; used_ > capacity_ && free_places > 0; --free_places) {
        used_ -= sizes_.of(at_place(head_++));
      }
    }
    if (used_ > capacity_) {
      make_room_around_held(first, last);
    }
  }

  [[gnu::noinline]] void make_room_around_held(uint32_t first, uint32_t last) {
    held_back_.clear();
    int32_t place = head_;
    for (; used_ > capacity_; ++place) {
      const uint32_t expert = at_place(place);
      if (holds(first, last, expert)) {
        held_back_.push_back(expert);
      } else {
        used_ -= sizes_.of(expert);
        place_[expert] = -1;
      }
    }
    head_ = place - int32_t(held_back_.size());
    for (size_t i = 0; i < held_back_.size(); ++i) {
      put(head_ + int32_t(i), held_back_[i]);
    }
  }

  // Same as in replay_lru.cc. The queue is laid out anew, with the experts that stay in front.
  [[gnu::noinline]] uint32_t look_up_surplus(uint32_t first, uint32_t last, uint64_t each) {
    const uint64_t fit = capacity_ / each;
    if (fit == 0) {
      return 0;
    }
    held_back_.clear();
    for (int32_t place = head_; place < tail_; ++place) {
      if (holds(first, last, at_place(place))) {
        held_back_.push_back(at_place(place));
      }
    }
    const uint32_t hits = uint32_t(held_back_.size());
    for (uint32_t at = first; at < last && held_back_.size() < fit; ++at) {
      if (place_[experts_[at]] < head_) {
        held_back_.push_back(experts_[at]);
      }
    }
    head_ = tail_;
    for (const uint32_t expert : held_back_) {
      put(tail_++, expert);
    }
    used_ = fit * each;
    return hits;
  }

  bool holds(uint32_t first, uint32_t last, uint32_t expert) const {
    return std::find(experts_ + first, experts_ + last, expert) != experts_ + last;
  }
  uint32_t at_place(int32_t place) const { return queue_[uint32_t(place) & mask_]; }
  void put(int32_t place, uint32_t expert) {
    queue_[uint32_t(place) & mask_] = expert;
    place_[expert] = place;
  }

  const uint32_t* experts_;
  Sizes sizes_;
  uint64_t capacity_;
  std::vector<int32_t> place_;   // by expert: the place where it entered; before the head: not in the cache
  std::vector<uint32_t> queue_;  // a ring; places [head, tail) are in use
  uint32_t mask_;
  std::vector<uint32_t> held_back_;  // scratch
  int32_t head_ = 0;
  int32_t tail_ = 0;
  uint64_t used_ = 0;
};

}  // namespace

std::vector<uint64_t> replay_fifo(const AccessStream& stream, CacheSemantics semantics,
                                  uint64_t capacity_bytes) {
  return with_sizes(stream, capacity_bytes, [&](auto sizes, uint64_t capacity) {
    FifoReplay cache(stream, std::move(sizes), capacity);
    return count_hits(stream, semantics, cache);
  });
}

}  // namespace spillway
