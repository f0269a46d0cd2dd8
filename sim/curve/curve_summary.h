#pragma once

#include <cstdint>
#include <optional>
#include <span>

// Summaries of a miss-ratio curve.
namespace spillway {

// Finds the knee of a curve that never falls: the first index at which it is highest above the straight line
// between its ends. From there on, a further point brings less than points do on average. That is the maximum
// of the difference curve of Satopää, Albrecht, Irwin and Raghavan ("Finding a 'kneedle' in a haystack:
// detecting knee points in system behavior", ICDCS workshops, 2011), taken over the whole curve at once, so
// that nothing needs smoothing or tuning. Returns nothing when no point is above the line.
std::optional<size_t> knee(std::span<const uint64_t> curve);

// The causes of misses. Any cache misses a first use. Further misses of Belady's rule are due to a working
// set larger than the cache. The rest is due to the policy: a better policy of the same size would have hit.
// With experts of several sizes, Belady's rule is not a bound and the rest can be negative.
struct MissCauses {
  uint64_t first_use = 0;
  uint64_t working_set = 0;
  int64_t policy = 0;
};

// Splits `misses` by cause. `belady_misses` are those at the same cache size. No policy can have fewer misses
// than `first_uses`.
MissCauses explain_misses(uint64_t misses, uint64_t belady_misses, uint64_t first_uses);

}  // namespace spillway
