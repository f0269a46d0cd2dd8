#include "sim/plan/hardware.h"

#include <cmath>

#include "core/expects.h"

namespace spillway::plan {

double array_bandwidth(const Drive& drive) {
  // Two striped loop devices, throttled, gave 1.85 to 1.97 times the bandwidth of one (2^0.95 = 1.93). A
  // RAID-0 of DeepNVMe's authors gave 10 of 13 GB/s.
  constexpr double kStriping = 0.95;
  Expects(drive.count > 0);
  return drive.bandwidth * std::pow(drive.count, kStriping);
}

}  // namespace spillway::plan
