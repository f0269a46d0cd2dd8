#include <array>

#include "sim/curve/expert_sizes.h"
#include "sim/curve/replay.h"

// LRU without a list. The stream itself is the log of uses. One position in it, the tail, separates the uses
// that the cache holds from those it dropped: an expert is in the cache exactly when its last use is not
// before the tail. Evicting is moving the tail past the oldest use that is still the last of its expert. (The
// content of an LRU cache is a prefix of the stack of Mattson, Gecsei, Slutz and Traiger, "Evaluation
// techniques for storage hierarchies", IBM Systems Journal 9(2), 1970; the tail is the end of that prefix.)
namespace spillway {
namespace {

template <class Sizes>
class LruReplay {
 public:
  LruReplay(const AccessStream& stream, Sizes sizes, uint64_t capacity)
      : experts_(stream.experts().data()),
        sizes_(std::move(sizes)),
        capacity_(capacity),
        last_use_(stream.geometry().expert_count(), -1) {}

  uint32_t look_up(uint32_t first, uint32_t last) {
    const uint64_t each = sizes_.of(experts_[first]);
    if (each * (last - first) > capacity_) {
      return look_up_surplus(first, last, each);
    }
    const int32_t tail = tail_;
    uint32_t hits = 0;
    for (uint32_t at = first; at < last; ++at) {
      int32_t& last_use = last_use_[experts_[at]];
      hits += last_use >= tail ? 1 : 0;
      last_use = int32_t(at);
    }
    admit(each * (last - first - hits));
    return hits;
  }

  uint32_t look_up_each(uint32_t first, uint32_t last) {
    uint32_t hits = 0;
    for (; first < last; first += kTogether) {
      const uint32_t end = std::min(last, first + kTogether);
      hits += each_of_few(first, end);
    }
    return hits;
  }

 private:
  static constexpr uint32_t kTogether = 16;

  // Evicts the oldest experts until `taken_in` more bytes fit.
  void admit(uint64_t taken_in) {
    uint64_t used = used_ + taken_in;
    int32_t tail = tail_;
    while (used > capacity_) {
      const uint32_t expert = experts_[tail];
      used -= sizes_.of(expert) & (0 - uint64_t(last_use_[expert] == tail));
      ++tail;
    }
    used_ = used;
    tail_ = tail;
  }

  // Looks up a few distinct experts that come one by one. The cache ends up with the same content as when
  // they come together. The hits are the same too, unless experts that come first push out a later one. If
  // the tail has moved past the last use of one of them, they are looked up again, one by one.
  uint32_t each_of_few(uint32_t first, uint32_t last) {
    const uint64_t each = sizes_.of(experts_[first]);
    if (each * (last - first) > capacity_) {
      return one_by_one(first, last);
    }
    const int32_t tail = tail_;
    const uint64_t used = used_;
    std::array<int32_t, kTogether> before;
    uint32_t hits = 0;
    for (uint32_t at = first; at < last; ++at) {
      int32_t& last_use = last_use_[experts_[at]];
      before[at - first] = last_use;
      hits += last_use >= tail ? 1 : 0;
      last_use = int32_t(at);
    }
    admit(each * (last - first - hits));
    uint32_t certain_hits = 0;
    for (uint32_t i = 0; i < last - first; ++i) {
      certain_hits += before[i] >= tail_ ? 1 : 0;
    }
    if (certain_hits == hits) {
      return hits;
    }
    for (uint32_t at = first; at < last; ++at) {
      last_use_[experts_[at]] = before[at - first];
    }
    tail_ = tail;
    used_ = used;
    return one_by_one(first, last);
  }

  uint32_t one_by_one(uint32_t first, uint32_t last) {
    uint32_t hits = 0;
    for (uint32_t at = first; at < last; ++at) {
      hits += look_up(at, at + 1);
    }
    return hits;
  }

  // Looks up experts that do not all fit. Those in the cache stay, and the others are taken in while there is
  // room. All other experts are evicted. If not even one expert fits, nothing changes.
  [[gnu::noinline]] uint32_t look_up_surplus(uint32_t first, uint32_t last, uint64_t each) {
    const uint64_t fit = capacity_ / each;
    if (fit == 0) {
      return 0;
    }
    uint32_t hits = 0;
    for (uint32_t at = first; at < last; ++at) {
      hits += last_use_[experts_[at]] >= tail_ ? 1 : 0;
    }
    uint64_t room = fit - hits;
    for (uint32_t at = first; at < last; ++at) {
      int32_t& last_use = last_use_[experts_[at]];
      const bool hit = last_use >= tail_;
      if (hit || room > 0) {
        last_use = int32_t(at);
        room -= hit ? 0 : 1;
      }
    }
    tail_ = int32_t(first);
    used_ = fit * each;
    return hits;
  }

  const uint32_t* experts_;
  Sizes sizes_;
  uint64_t capacity_;
  std::vector<int32_t> last_use_;  // by expert: the position of its last use that kept it; -1: none
  int32_t tail_ = 0;
  uint64_t used_ = 0;
};

}  // namespace

std::vector<uint64_t> replay_lru(const AccessStream& stream, CacheSemantics semantics,
                                 uint64_t capacity_bytes) {
  return with_sizes(stream, capacity_bytes, [&](auto sizes, uint64_t capacity) {
    LruReplay cache(stream, std::move(sizes), capacity);
    return count_hits(stream, semantics, cache);
  });
}

}  // namespace spillway
