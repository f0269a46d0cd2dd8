#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "sim/plan/hardware.h"

namespace spillway::plan {

// The hit ratio of a cache of experts, by its size, as measured on a trace.
struct LocalityProfile {
  struct Point {
    double share = 0;  // of all experts' bytes that the cache holds
    double hit = 0;    // of a token's experts that are found in it
  };

  std::string name;
  std::vector<Point> points;  // ascending in both
  // The misses of other texts and relatives of the model against these: 1 is the same. A forecast takes its
  // `central` for the most likely.
  Range miss_spread;

  // Shares and hit ratios from 0 to 1, ascending.
  Result<void> validate() const;

  // Linear between the points and to (0, 0) and (1, 1) beyond them: nothing cached, nothing found; all of
  // it cached, and after a while all is found.
  double hit(double share) const;
};

}  // namespace spillway::plan
