#pragma once

#include <cstdint>
#include <optional>
#include <span>

// What a curve says at a glance.
namespace spillway {

// Where a curve that never falls turns from steep to flat: the index at which it is highest above the
// straight line between its ends, the first of such. From there on a further point brings less than points do
// on average. That is the maximum of the difference curve of Satopää, Albrecht, Irwin and Raghavan ("Finding
// a 'kneedle' in a haystack: detecting knee points in system behavior", ICDCS workshops, 2011), taken over
// the whole curve at once, so that nothing has to be smoothed or tuned. Nothing when no point is above the
// line.
std::optional<size_t> knee(std::span<const uint64_t> curve);

// Whose fault misses are. A first use is missed by any cache. What Belady's rule misses besides is more than
// a cache of that size can hold of the working set. The rest is the policy's own: a better one of the same
// size would have hit. With experts of several sizes Belady's rule is no bound and the rest can be negative.
struct MissCauses {
  uint64_t first_use = 0;
  uint64_t working_set = 0;
  int64_t policy = 0;
};

// `belady_misses` are those at the same size. No policy's can be fewer than `first_uses`.
MissCauses explain_misses(uint64_t misses, uint64_t belady_misses, uint64_t first_uses);

}  // namespace spillway
