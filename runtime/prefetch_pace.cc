#include "runtime/prefetch_pace.h"

#include <algorithm>

namespace spillway {
namespace {

// What was seen counts by its bytes, and at each look with news the older a little less.
constexpr double kKept = 7.0 / 8;
// One hiccup must not end prefetching for long.
constexpr double kMostAtOnce = 4;
// Less than half a piece in time is too little where prefetches are of little use; whether they are of any,
// the pager tries now and then, and must be let.
constexpr double kHalf = 0.5;

}  // namespace

uint32_t PrefetchPace::pieces_that_fit(Nanoseconds idle, double useful_share) const {
  if (idle.count() <= 0) {
    return 0;
  }
  if (bytes_ == 0) {
    return 1;  // to find out
  }
  const double fit = double(idle.count()) * bytes_ / (ns_ * piece_bytes_);
  return uint32_t(std::min(fit + std::max(kHalf, useful_share), double(most_)));
}

void PrefetchPace::sent(Nanoseconds now, bool to_idle_drive) {
  if (to_idle_drive) {
    since_ = now;
  }
  sent_more_ = !to_idle_drive;
}

void PrefetchPace::looked(Nanoseconds now, uint64_t bytes, bool is_idle, bool unwatched) {
  if (bytes == 0) {
    return;
  }
  double seen = double((now - since_).count());
  if (bytes_ > 0) {
    const double expected = ns_ / bytes_ * double(bytes);
    // It may have taken less than it took to look: next time it gets more.
    const bool may_be_less = unwatched && (is_idle || sent_more_);
    seen = std::min(seen, expected * (may_be_less ? kKept : kMostAtOnce));
  }
  ns_ = kKept * ns_ + std::max(1.0, seen);
  bytes_ = kKept * bytes_ + double(bytes);
  since_ = now;
  sent_more_ = false;
}

}  // namespace spillway
