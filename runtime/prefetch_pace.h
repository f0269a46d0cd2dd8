#pragma once

#include <cstdint>
#include <optional>

#include "core/ports.h"

namespace spillway {

// How many pieces of prefetch the drive is likely to be through with before the next demand, learnt from what
// earlier ones took while it had nothing else to do. A piece that is still being read when a demand comes
// delays it, and at low accuracy that is all it does.
class PrefetchPace {
 public:
  explicit PrefetchPace(uint32_t most) : most_(most) {}

  // Pieces, those in flight included, at most `most`.
  uint32_t pieces_that_fit(Nanoseconds now, Nanoseconds idle_until);

  void submitted(Nanoseconds now);      // a piece, while no demand is in flight
  void complete();                      // a piece, whatever became of it meanwhile
  void disturbed() { since_.reset(); }  // by demands: what pieces take now tells nothing

  // All completions so far are taken in. `unwatched`: nobody has looked since pieces were last submitted.
  void looked(Nanoseconds now, bool unwatched);

 private:
  const uint32_t most_;
  uint32_t in_flight_ = 0;
  uint32_t complete_ = 0;             // since since_
  std::optional<Nanoseconds> since_;  // when the drive has had nothing to do but prefetch
  // Running averages of what a piece takes, alone and as one of several; 0: not known.
  Nanoseconds alone_{0};
  Nanoseconds each_{0};
  std::optional<Nanoseconds> refused_until_;  // the idle time for which a piece was last found too slow
};

}  // namespace spillway
