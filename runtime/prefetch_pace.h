#pragma once

#include <cstdint>

#include "core/ports.h"

namespace spillway {

// How many pieces of prefetch go to the drive while no demand is waited for, learnt from what it takes for a
// byte of demands and prefetches alike. A piece that is still being read when a demand comes up delays it,
// unless it is of what is demanded.
//
// The drive's time is known where it was busy from one look that found news to the next. When nobody looked
// meanwhile and it had nothing left to do, it may have been through at any time before. Many drives tell of
// one request at a time; some virtual disks only of all that they have, once they have no more to do.
class PrefetchPace {
 public:
  PrefetchPace(uint32_t most, uint64_t piece_bytes) : most_(most), piece_bytes_(double(piece_bytes)) {}

  // Pieces, those in flight included. `useful_share`, of the prefetched experts those that are demanded,
  // decides on the piece that fits only in part: what of it is not through in time delays a demand in so many
  // cases less.
  uint32_t pieces_that_fit(Nanoseconds idle, double useful_share) const;

  // Requests go to the drive, which had some already, or none.
  void sent(Nanoseconds now, bool to_idle_drive);

  // So many bytes have been read since the last look, and the drive has nothing left to do, or more.
  // `unwatched`: nobody has looked for a while.
  void looked(Nanoseconds now, uint64_t bytes, bool is_idle, bool unwatched);

 private:
  uint32_t most_;
  double piece_bytes_;
  double ns_ = 0;           // that were spent
  double bytes_ = 0;        // on so many; 0: nothing is known
  Nanoseconds since_{0};    // the last look that found news, or when the drive got something to do again
  bool sent_more_ = false;  // since then, to what may have been an idle drive
};

}  // namespace spillway
