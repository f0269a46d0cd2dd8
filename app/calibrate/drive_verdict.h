#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json_fwd.h"
#include "sim/profile.h"

namespace spillway {

// What a profile says to somebody whose experts have a certain size.
struct DriveVerdict {
  uint64_t expert_bytes = 0;
  uint64_t block_bytes = 0;  // the measured size nearest to it
  std::string method;        // the fastest way to read, from the drive
  std::string backend;       // with all its options
  uint32_t depth = 0;        // the fewest reads in flight that reach nearly its best speed
  double bytes_per_s = 0;    // at that depth
  // What costs speed, the worst first: other ways to read, and too few reads in flight.
  struct Avoid {
    std::string what;
    double bytes_per_s = 0;  // the most that it reaches
  };
  std::vector<Avoid> avoid = {};
};

// Returns the verdict for experts that are read in pieces of `expert_bytes` bytes. Ways to read from a page
// cache that holds the file say nothing of the drive and do not count. Returns nothing if the profile has no
// other way.
std::optional<DriveVerdict> judge(const DeviceProfile& profile, uint64_t expert_bytes);

// Returns two lines: what to do, and what to avoid; only the first if nothing was measured that is much
// slower.
std::string describe(const DriveVerdict& verdict);

Json to_json(const DriveVerdict& verdict);

}  // namespace spillway
