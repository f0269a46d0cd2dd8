#pragma once

#include <vector>

#include "core/ports.h"

namespace spillway {

// The admitted experts that were prefetched and have not been demanded since. For a policy that distinguishes
// experts used once from those used again, a prefetch stands for the use it was made for: the demand that
// follows is that same use, not a second one. A prefetch that is never demanded was no use at all and leaves
// no ghost. The changes that its arrival made are not undone, however: ARC and S3-FIFO have taken up the
// ghost they found, ARC has moved its target, and W-TinyLFU's sketch, which cannot forget a single use, keeps
// it until the counts are halved.
class Undemanded {
 public:
  explicit Undemanded(uint32_t experts) : undemanded_(experts, false) {}

  void admitted(const Access& access) { undemanded_[index_of(access.expert)] = access.prefetch; }
  bool contains(ExpertId id) const { return undemanded_[index_of(id)]; }

  // Returns true when this demand is the use that `id` was prefetched for.
  bool take(ExpertId id) {
    const bool was = contains(id);
    undemanded_[index_of(id)] = false;
    return was;
  }

 private:
  std::vector<bool> undemanded_;
};

}  // namespace spillway
