#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace spillway {

// 64-bit keys in a heap of four children a node, the smallest in front.
class KeyHeap {
 public:
  explicit KeyHeap(size_t most) { keys_.reserve(most); }

  bool empty() const { return keys_.empty(); }
  uint64_t least() const { return keys_.front(); }
  const std::vector<uint64_t>& keys() const { return keys_; }  // in no order
  void clear() { keys_.clear(); }

  void push(uint64_t key) {
    keys_.push_back(key);
    size_t at = keys_.size() - 1;
    for (; at > 0 && key < keys_[(at - 1) / 4]; at = (at - 1) / 4) {
      keys_[at] = keys_[(at - 1) / 4];
    }
    keys_[at] = key;
  }

  // Puts `key` in the place of the least.
  void replace_least(uint64_t key) {
    const size_t size = keys_.size();
    size_t at = 0;
    for (size_t child = 1; child < size; child = 4 * at + 1) {
      size_t least = child;
      for (size_t other = child + 1; other < std::min(child + 4, size); ++other) {
        least = keys_[other] < keys_[least] ? other : least;
      }
      if (key <= keys_[least]) {
        break;
      }
      keys_[at] = keys_[least];
      at = least;
    }
    keys_[at] = key;
  }

  void pop_least() {
    const uint64_t last = keys_.back();
    keys_.pop_back();
    if (!keys_.empty()) {
      replace_least(last);
    }
  }

 private:
  std::vector<uint64_t> keys_;
};

}  // namespace spillway
