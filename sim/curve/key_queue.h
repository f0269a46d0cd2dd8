#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace spillway {

// A priority queue of 64-bit keys, the smallest first: a short sorted list of the smallest keys before a heap
// of the others. It is made for keys that mostly enter near the front and soon leave from there, without ever
// reaching the heap.
class KeyQueue {
 public:
  explicit KeyQueue(size_t most) { heap_.reserve(most); }

  void clear() {
    sorted_ = 0;
    heap_.clear();
  }

  void insert(uint64_t key) {
    if (sorted_ == kMostSorted) {
      spill();
    }
    if (sorted_ == 0 || key > front_[0]) {
      push(key);
      return;
    }
    size_t at = sorted_++;
    for (; at > 0 && front_[at - 1] < key; --at) {
      front_[at] = front_[at - 1];
    }
    front_[at] = key;
  }

  // Removes and returns the smallest key; the queue must not be empty.
  uint64_t take_least() {
    if (sorted_ == 0) {
      refill();
    }
    return front_[--sorted_];
  }

  // Calls use(key) for every key, in any order.
  template <class Use>
  void for_each(Use use) const {
    std::for_each(front_.begin(), front_.begin() + ptrdiff_t(sorted_), use);
    std::for_each(heap_.begin(), heap_.end(), use);
  }

 private:
  static constexpr size_t kMostSorted = 64;
  static constexpr size_t kChildren = 4;

  // Moves the larger half of the list to the heap.
  [[gnu::noinline]] void spill() {
    constexpr size_t kSpilt = kMostSorted / 2;
    std::for_each(front_.begin(), front_.begin() + kSpilt, [this](uint64_t key) { push(key); });
    std::copy(front_.begin() + kSpilt, front_.end(), front_.begin());
    sorted_ -= kSpilt;
  }

  [[gnu::noinline]] void refill() {
    sorted_ = std::min(heap_.size(), kMostSorted / 4);
    for (size_t at = sorted_; at-- > 0;) {
      front_[at] = pop();
    }
  }

  void push(uint64_t key) {
    heap_.push_back(key);
    size_t at = heap_.size() - 1;
    for (; at > 0 && key < heap_[(at - 1) / kChildren]; at = (at - 1) / kChildren) {
      heap_[at] = heap_[(at - 1) / kChildren];
    }
    heap_[at] = key;
  }

  uint64_t pop() {
    const uint64_t least = heap_.front();
    const uint64_t last = heap_.back();
    heap_.pop_back();
    const size_t size = heap_.size();
    size_t at = 0;
    for (size_t child = 1; child < size; child = kChildren * at + 1) {
      const size_t end = std::min(child + kChildren, size);
      for (size_t other = child + 1; other < end; ++other) {
        child = heap_[other] < heap_[child] ? other : child;
      }
      if (last <= heap_[child]) {
        break;
      }
      heap_[at] = heap_[child];
      at = child;
    }
    if (size > 0) {
      heap_[at] = last;
    }
    return least;
  }

  std::array<uint64_t, kMostSorted> front_{};  // the smallest keys, in descending order
  size_t sorted_ = 0;                          // entries of front_ in use
  std::vector<uint64_t> heap_;                 // keys not below those of front_; the smallest comes first
};

}  // namespace spillway
