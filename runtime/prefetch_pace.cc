#include "runtime/prefetch_pace.h"

#include <algorithm>

#include "core/expects.h"

namespace spillway {
namespace {

void approach(Nanoseconds& believed, Nanoseconds seen) {
  believed += believed.count() == 0 ? seen : (seen - believed) / 8;
}

void approach_less(Nanoseconds& believed, Nanoseconds most) {
  approach(believed, believed.count() == 0 ? most : std::min(believed, most) * 7 / 8);
}

}  // namespace

uint32_t PrefetchPace::pieces_that_fit(Nanoseconds now, Nanoseconds idle_until) {
  const Nanoseconds idle = idle_until - now;
  if (idle.count() <= 0) {
    return 0;
  }
  const Nanoseconds first = std::max(lone_piece_, further_piece_);
  if (idle >= first) {
    // Of a piece behind another nothing is known until one was sent: not more than alone is a safe guess.
    const Nanoseconds each = further_piece_.count() == 0 ? lone_piece_ : further_piece_;
    const int64_t further = each.count() == 0 ? 0 : (idle - first) / each;
    return uint32_t(std::min<int64_t>(1 + further, most_));
  }
  if (refused_until_ != idle_until) {
    // Only what is read can teach better: let it fade, or one slow piece would end prefetching for good.
    refused_until_ = idle_until;
    lone_piece_ -= lone_piece_ / 64;
    further_piece_ -= further_piece_ / 64;
  }
  return 0;
}

void PrefetchPace::submitted(Nanoseconds now) {
  if (in_flight_ == 0) {
    since_ = now;
    last_news_.reset();
    complete_ = news_ = 0;
  }
  ++in_flight_;
}

void PrefetchPace::complete() {
  Expects(in_flight_ > 0);
  --in_flight_;
  ++complete_;
  ++news_;
}

void PrefetchPace::looked(Nanoseconds now, bool unwatched) {
  if (since_ && news_ > 0) {
    const Nanoseconds so_far = now - *since_;
    if (in_flight_ == 0 && unwatched) {
      // It may have been through with them at any time: next time it gets more.
      approach_less(lone_piece_, so_far);
      approach_less(further_piece_, so_far / complete_);
    } else if (last_news_) {
      approach(further_piece_, (now - *last_news_) / news_);
    } else if (unwatched) {
      // Some of those in flight are half read: take it that half of them are.
      approach(further_piece_, 2 * so_far / (2 * complete_ + in_flight_));
    } else {
      approach(complete_ == 1 ? lone_piece_ : further_piece_, so_far / complete_);
    }
    last_news_ = now;
  }
  news_ = 0;
  if (in_flight_ == 0) {
    since_.reset();
  }
}

void PrefetchPace::disturbed(Nanoseconds now, bool in_the_way) {
  if (since_ && in_the_way && complete_ == 0 && in_flight_ > 0) {
    const Nanoseconds so_far = now - *since_;
    // How much longer the first takes nobody will know.
    lone_piece_ = std::max(lone_piece_, so_far * (in_flight_ == 1 ? 10 : 9) / 8);
    if (in_flight_ > 1) {
      approach(further_piece_, std::max(further_piece_, 2 * so_far / in_flight_));
    }
  }
  since_.reset();
}

}  // namespace spillway
