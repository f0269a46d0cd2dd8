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
  uint32_t rounds = 5;      // most measurements of a load
  Nanoseconds duration{0};  // of the whole calibration; loads for which there is no time are left out
  uint64_t seed = 1;
};

// Returns the plan for every way of reading that behaves differently from the others, at the sizes and depths
// that expert reads have.
CalibrationPlan default_calibration(Nanoseconds duration, uint64_t seed);

// Called after each measurement with the part of the calibration's duration that has passed.
using CalibrationProgress = FunctionRef<void(Nanoseconds spent)>;

// Measures reads of `files`. They must lie on the drive to be measured, each must hold at least twice the
// largest block, and they are only read. What this machine refuses or for what there is no time is left out,
// and a line with the reason is added to `refusals`. Fails if no method is left, if a read fails, or if
// reads past the page cache did not come from the drive, which the kernel's count of delivered bytes shows.
Result<DeviceProfile> calibrate(std::span<const std::string> files, const CalibrationPlan& plan,
                                CalibrationProgress progress, std::vector<std::string>& refusals);

}  // namespace spillway
