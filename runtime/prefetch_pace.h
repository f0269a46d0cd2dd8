#pragma once

#include <cstdint>

#include "core/ports.h"

namespace spillway {

// Decides how many pieces of prefetch go to the drive while no demand is waited for. It learns from the time
// per byte that demands and prefetches took. A piece that is still being read when a demand comes up delays
// the demand, unless the piece belongs to the demanded expert.
//
// The drive's time is known exactly where it was busy from one look that found completions to the next.
// If a drive became idle between two looks that are far apart, it may have finished at any time in
// between. Many drives report one request at a time. Some virtual disks report all of their requests
// together, once they are idle.
class PrefetchPace {
 public:
  PrefetchPace(uint32_t most, uint64_t piece_bytes) : most_(most), piece_bytes_(double(piece_bytes)) {}

  // Returns the number of pieces that may be in flight, those already in flight included, when no demand will
  // be waited for during `idle`. `useful_share` is the share of prefetched experts that are demanded later.
  // It is added as a fraction of a piece, so a last piece that fits only in part is sent when it is likely to
  // be useful: if its expert is the one demanded, the overrun delays nobody.
  uint32_t pieces_that_fit(Nanoseconds idle, double useful_share) const;

  // Notes that requests went to the drive, which was idle before or not.
  void sent(Nanoseconds now, bool to_idle_drive);

  // Notes a look at the drive: `bytes` bytes have been read since the last look. `is_idle`: no request is in
  // flight any more. `unwatched`: the last look is long ago, since the loader was left alone.
  void looked(Nanoseconds now, uint64_t bytes, bool is_idle, bool unwatched);

 private:
  uint32_t most_;
  double piece_bytes_;
  double ns_ = 0;           // time that the drive took for bytes_
  double bytes_ = 0;        // 0: nothing is known yet
  Nanoseconds since_{0};    // the last look that found completions, or when the idle drive got requests again
  bool sent_more_ = false;  // since then, requests were sent to a drive that may have been idle
};

}  // namespace spillway
