#include "sim/plan/locality.h"

#include <algorithm>

namespace spillway::plan {

Result<void> LocalityProfile::validate() const {
  Point last;
  for (const Point& point : points) {
    const bool sane = point.share > last.share && point.share < 1 && point.hit >= last.hit && point.hit <= 1;
    if (!sane) {
      return failed("'points' must ascend in share and hit, both from 0 to 1: [{}, {}] does not", point.share,
                    point.hit);
    }
    last = point;
  }
  if (points.empty()) {
    return failed("'points' is empty");
  }
  return {};
}

double LocalityProfile::hit(double share) const {
  Point below;
  Point above{1, 1};
  if (share >= 1) {
    return 1;
  }
  for (const Point& point : points) {
    if (point.share >= share) {
      above = point;
      break;
    }
    below = point;
  }
  const double along = (std::max(share, 0.0) - below.share) / (above.share - below.share);
  return below.hit + along * (above.hit - below.hit);
}

}  // namespace spillway::plan
