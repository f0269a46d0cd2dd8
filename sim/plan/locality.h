#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "sim/plan/hardware.h"

namespace spillway::plan {

// The hit ratio of a cache of experts by the cache's size, as measured on a trace.
struct LocalityProfile {
  struct Point {
    double share = 0;  // share of all experts' bytes that the cache holds
    double hit = 0;    // share of a token's experts that are found in the cache
  };

  std::string name;
  std::vector<Point> points;  // ascending in both
  // The misses on other texts, or of related models, as a multiple of this profile's; 1: the same. A forecast
  // uses the `central` multiple as the most likely.
  Range miss_spread;

  // Checks that shares and hit ratios ascend and lie from 0 to 1.
  Result<void> validate() const;

  // Returns the hit ratio for a share of the bytes: linear between the points, and towards (0, 0)
  // and (1, 1) beyond them. With nothing cached nothing is found; with everything cached,
  // everything is found after a while.
  double hit(double share) const;
};

}  // namespace spillway::plan
