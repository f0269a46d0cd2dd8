#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "core/expects.h"
#include "core/ports.h"

namespace spillway {

// Holds the completions of a backend that completes every request at once, until they are reaped.
class InstantQueue {
 public:
  explicit InstantQueue(uint32_t depth) : depth_(depth) { done_.reserve(depth); }

  size_t room() const { return depth_ - done_.size(); }
  void push(const IoDone& done) { done_.push_back(done); }

  size_t reap(std::span<IoDone> out, size_t at_least) {
    Expects(at_least <= done_.size() && at_least <= out.size());
    const size_t count = std::min(out.size(), done_.size());
    std::copy_n(done_.begin(), count, out.begin());
    done_.erase(done_.begin(), done_.begin() + ptrdiff_t(count));
    return count;
  }

 private:
  size_t depth_;
  std::vector<IoDone> done_;
};

}  // namespace spillway
