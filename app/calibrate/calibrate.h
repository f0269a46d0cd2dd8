#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "app/calibrate/calibration.h"
#include "core/function_ref.h"
#include "core/result.h"

namespace spillway {

struct CalibrationPlan {
  std::vector<MethodPlan> methods;
  uint32_t rounds = 5;      // every load is measured so often, all of them in turn
  Nanoseconds duration{0};  // of the whole; sizes that take long may exceed it
  uint64_t seed = 1;
};

// Every method that this program knows to behave in a way of its own, at the sizes and depths of which
// expert reads are made.
CalibrationPlan default_calibration(Nanoseconds duration, uint64_t seed);

// Told how many measurements of how many are done.
using CalibrationProgress = FunctionRef<void(uint64_t done, uint64_t total)>;

// Measures reads of `files`, which lie on the drive that is meant, hold at least twice the largest block each
// and are only read. A method whose backend this machine refuses is left out, and a line on why goes to
// `refusals`. Fails when no method is left, when a read fails, and when reads that must come from the drive
// did not: the kernel's count of what it delivered tells.
Result<DeviceProfile> calibrate(std::span<const std::string> files, const CalibrationPlan& plan,
                                CalibrationProgress progress, std::vector<std::string>& refusals);

}  // namespace spillway
