#pragma once

#include <vector>

#include "core/ports.h"

namespace spillway {

// The admitted experts that were prefetched and not demanded since. To a policy that tells experts used once
// from those used again, a prefetch stands for the use it was made for: the demand that follows is that same
// use and not a second one, and a prefetch that nobody ever demanded was no use at all: it leaves no ghost.
// What its arrival changed is not put back, though. ARC and S3-FIFO have taken up the ghost that it found,
// ARC has moved its target, and W-TinyLFU's sketch, which cannot forget one use, keeps it until it is halved.
class Undemanded {
 public:
  explicit Undemanded(uint32_t experts) : undemanded_(experts, false) {}

  void admitted(const Access& access) {
    undemanded_[index_of(access.expert)] = access.next_use <= access.step;
  }
  bool contains(ExpertId id) const { return undemanded_[index_of(id)]; }

  // True when this demand is the one that `id` was prefetched for.
  bool take(ExpertId id) {
    const bool was = contains(id);
    undemanded_[index_of(id)] = false;
    return was;
  }

 private:
  std::vector<bool> undemanded_;
};

}  // namespace spillway
