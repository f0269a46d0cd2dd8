#include "runtime/prefetch_pace.h"

#include <algorithm>

#include "core/expects.h"

namespace spillway {

uint32_t PrefetchPace::pieces_that_fit(Nanoseconds now, Nanoseconds idle_until) {
  const Nanoseconds idle = idle_until - now;
  if (idle.count() <= 0) {
    return 0;
  }
  if (idle >= alone_) {
    const int64_t further = each_.count() == 0 ? 0 : (idle - alone_) / each_;
    return uint32_t(std::min<int64_t>(1 + further, most_));
  }
  if (refused_until_ != idle_until) {
    // The average learns only from pieces that are read: let it fade, or one slow piece would end prefetching
    // for good.
    refused_until_ = idle_until;
    alone_ -= alone_ / 64;
  }
  return 0;
}

void PrefetchPace::submitted(Nanoseconds now) {
  ++in_flight_;
  if (!since_) {
    since_ = now;
    complete_ = 0;
  }
}

void PrefetchPace::complete() {
  Expects(in_flight_ > 0);
  --in_flight_;
  ++complete_;
}

// While pieces are left in flight the drive was never idle, and what it took for the others is known. When
// none is, and nobody has looked meanwhile, it may have been through with them long ago: next time it gets
// more.
void PrefetchPace::looked(Nanoseconds now, bool unwatched) {
  if (!since_) {
    return;
  }
  if (complete_ > 0) {
    const Nanoseconds took = (now - *since_) / complete_;
    const bool at_most = in_flight_ == 0 && unwatched;
    const auto learn = [&](Nanoseconds& average) {
      const Nanoseconds before = average.count() == 0 ? took : average;
      average = before + ((at_most ? std::min(took, before) * 7 / 8 : took) - before) / 8;
    };
    learn(each_);
    if (at_most || (in_flight_ == 0 && complete_ == 1)) {
      learn(alone_);
    }
  }
  if (in_flight_ == 0) {
    since_.reset();
  }
}

}  // namespace spillway
