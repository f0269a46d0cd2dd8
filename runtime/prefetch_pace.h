#pragma once

#include <cstdint>
#include <optional>

#include "core/ports.h"

namespace spillway {

// How many pieces of prefetch the drive is likely to be through with before the next demand, learnt from what
// earlier ones took while it had nothing else to do. A piece that is still being read when a demand comes
// delays it, and at low accuracy that is all it does.
//
// Nobody is told when a piece was read, only at the next look that it has been. While some are left in flight
// the drive was never idle, and its time for the others is known: best from one look that found news to the
// next, between which lies no request's way to the drive and back. When none is left, it may have been idle
// for long.
class PrefetchPace {
 public:
  explicit PrefetchPace(uint32_t most) : most_(most) {}

  // Pieces, those in flight included, at most `most`.
  uint32_t pieces_that_fit(Nanoseconds now, Nanoseconds idle_until);

  void submitted(Nanoseconds now);  // a piece, while no demand is in flight
  void complete();                  // a piece, whatever became of it meanwhile

  // All completions so far are taken in. `unwatched`: nobody has looked for a while, and the last of them may
  // have been there long before.
  void looked(Nanoseconds now, bool unwatched);

  // Demands go to the drive: what pieces take from now on tells nothing. `in_the_way`: some are in flight
  // that the demands are not for.
  void disturbed(Nanoseconds now, bool in_the_way);

 private:
  const uint32_t most_;
  uint32_t in_flight_ = 0;
  uint32_t complete_ = 0;                 // since since_
  uint32_t news_ = 0;                     // of these since the last look
  std::optional<Nanoseconds> since_;      // when the drive began to have nothing to do but prefetch
  std::optional<Nanoseconds> last_news_;  // the last look since then that found some complete
  // What is believed of the drive's time for a piece, alone and as one of several; 0: not known.
  Nanoseconds lone_piece_{0};
  Nanoseconds further_piece_{0};
  std::optional<Nanoseconds> refused_until_;  // the idle time for which a piece was last found too slow
};

}  // namespace spillway
