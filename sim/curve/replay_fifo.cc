#include <algorithm>
#include <bit>
#include <limits>

#include "sim/curve/expert_sizes.h"
#include "sim/curve/replay.h"

// FIFO as a queue without gaps, each place in it numbered since the start: an expert is there exactly when
// the place it entered at is not before the head. To evict is to move the head. Only an expert that is held
// by the step and stands at the head is in the way of that; it moves up to the new head.
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
    const int32_t head = head_;
    int32_t tail = tail_;
    int32_t oldest_hit = std::numeric_limits<int32_t>::max();
    for (uint32_t at = first; at < last; ++at) {
      const uint32_t expert = experts_[at];
      const int32_t place = place_[expert];
      const bool hit = place >= head;
      queue_[uint32_t(tail) & mask_] = expert;
      place_[expert] = hit ? place : tail;
      oldest_hit = std::min(oldest_hit, hit ? place : oldest_hit);
      tail += hit ? 0 : 1;
    }
    const uint32_t misses = uint32_t(tail - tail_);
    tail_ = tail;
    used_ += each * misses;
    make_room(first, last, oldest_hit);
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
    // With one size the head is always so far behind the tail, and nobody who stands there is held.
    const int32_t length = int32_t(std::min<uint64_t>(capacity_, place_.size()));
    int32_t tail = tail_;
    for (uint32_t at = first; at < last; ++at) {
      const uint32_t expert = experts_[at];
      const int32_t place = place_[expert];
      const bool hit = place >= std::max(0, tail - length);
      place_[expert] = hit ? place : tail;
      tail += hit ? 0 : 1;
    }
    hits = last - first - uint32_t(tail - tail_);
    tail_ = tail;
    return hits;
  }

 private:
  // Moves the head until the rest fits. `oldest_hit` is the first place that a held expert may stand at.
  void make_room(uint32_t first, uint32_t last, int32_t oldest_hit) {
    if constexpr (Sizes::kUniform) {
      const int32_t surplus = used_ > capacity_ ? int32_t(used_ - capacity_) : 0;
      const int32_t step = std::min(surplus, std::max(0, oldest_hit - head_));
      head_ += step;
      used_ -= uint64_t(step);
    } else {
      while (used_ > capacity_ && head_ < oldest_hit) {
        used_ -= sizes_.of(at_place(head_));
        ++head_;
      }
    }
    if (used_ > capacity_) {
      make_room_around_held(first, last);
    }
  }

  void make_room_around_held(uint32_t first, uint32_t last) {
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

  // As in the other replays: see replay_lru.cc. The queue is laid out anew, who stays first.
  uint32_t look_up_surplus(uint32_t first, uint32_t last, uint64_t each) {
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
  std::vector<int32_t> place_;   // by expert, where in the queue it entered; before the head: it is not there
  std::vector<uint32_t> queue_;  // a ring; places [head, tail) are taken
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
