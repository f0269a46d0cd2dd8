#include "runtime/prefetch_pace.h"

#include <algorithm>

namespace spillway {
namespace {

// Weight of the past at each look with completions. Observations are weighted by their bytes.
constexpr double kKept = 7.0 / 8;
// Bounds how much slower than expected one look may count, so that one hiccup does not end
// prefetching for long.
constexpr double kMostAtOnce = 4;
// A last piece is sent if at least half of it fits, however few prefetches turned out useful: the pager
// probes now and then whether prefetching pays again, and needs at least that much to find out.
constexpr double kHalf = 0.5;

}  // namespace

uint32_t PrefetchPace::pieces_that_fit(Nanoseconds idle, double useful_share) const {
  if (idle.count() <= 0) {
    return 0;
  }
  if (bytes_ == 0) {
    return 1;  // to measure the drive's time
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
    // The read may have taken less time than until this look, so its time counts as less than expected: next
    // time more pieces are sent.
    const bool may_be_less = unwatched && (is_idle || sent_more_);
    seen = std::min(seen, expected * (may_be_less ? kKept : kMostAtOnce));
  }
  ns_ = kKept * ns_ + std::max(1.0, seen);
  bytes_ = kKept * bytes_ + double(bytes);
  since_ = now;
  sent_more_ = false;
}

}  // namespace spillway
