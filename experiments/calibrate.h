#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/function_ref.h"
#include "core/result.h"
#include "sim/profile.h"

namespace spillway {

// One way to read the drive, and the loads to measure it under.
struct MethodPlan {
  enum class Start {
    direct,  // past the page cache
    cold,    // through it, with the file's pages dropped before each measurement
    warm,    // through it, from pages that are there
  };
  std::string name;
  std::string backend;  // NAME:key=value,…
  Start start = Start::direct;
  std::vector<uint64_t> blocks;  // bytes, ascending
  std::vector<uint32_t> depths;  // ascending; those beyond what the backend takes are left out
  bool sequential = false;       // measure sequential reads as well
};

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
