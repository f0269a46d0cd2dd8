#include "runtime/prefetch_pace.h"

#include <algorithm>

namespace spillway {

uint32_t PrefetchPace::pieces_that_fit(Nanoseconds idle, double useful_share) const {
  if (idle.count() <= 0) {
    return 0;
  }
  if (ns_per_byte_ == 0) {
    return 1;  // to find out
  }
  const double fit = double(idle.count()) / (ns_per_byte_ * piece_bytes_);
  return uint32_t(std::min(fit + useful_share, double(most_)));
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
  // One hiccup must not end prefetching for long.
  constexpr double kMostAtOnce = 4;
  constexpr double kMemory = 8;
  double seen = double((now - since_).count()) / double(bytes);
  if (unwatched && (is_idle || sent_more_)) {
    // It may have taken less: next time it gets more.
    seen = std::min(seen, ns_per_byte_ == 0 ? seen : ns_per_byte_ * (1 - 1 / kMemory));
  }
  if (ns_per_byte_ == 0) {
    ns_per_byte_ = seen;
  } else {
    ns_per_byte_ += (std::min(seen, kMostAtOnce * ns_per_byte_) - ns_per_byte_) / kMemory;
  }
  since_ = now;
  sent_more_ = false;
}

}  // namespace spillway
