#include "app/calibrate/calibrate.h"

#include <chrono>

#include "backends/list.h"
#include "core/units.h"

namespace spillway {

CalibrationPlan default_calibration(Nanoseconds duration, uint64_t seed) {
  using Start = MethodPlan::Start;
  const std::vector<uint64_t> all = {4 * kKiB, 64 * kKiB, 256 * kKiB, kMiB, 4 * kMiB, 16 * kMiB};
  const std::vector<uint64_t> large = {64 * kKiB, kMiB, 4 * kMiB};
  const BackendChoice uring = backends().known("uring");
  const BackendChoice pread = backends().known("pread");
  const BackendChoice mmap = backends().known("mmap");
  CalibrationPlan plan;
  plan.duration = duration;
  plan.seed = seed;
  plan.methods = {
      {"uring", uring, Start::direct, all, {1, 2, 4, 8, 16, 64}, true},
      {"pread direct", backends().known("pread:direct=1"), Start::direct, all, {1, 2, 4, 8, 16}, false},
      {"pread cold", pread, Start::cold, large, {1, 4, 8}, false},
      {"pread warm", pread, Start::warm, large, {1, 4, 8}, false},
      {"mmap cold", mmap, Start::cold, large, {1, 4, 8}, false},
      {"mmap warm", mmap, Start::warm, large, {1, 4, 8}, false},
  };
  return plan;
}

Result<DeviceProfile> calibrate(std::span<const std::string> files, const CalibrationPlan& plan,
                                CalibrationProgress progress, std::vector<std::string>& refusals) {
  const auto start = std::chrono::steady_clock::now();
  Calibration calibration(files, plan.methods, plan.seed);
  if (Result<void> opened = calibration.open(refusals); !opened) {
    return propagate(opened);
  }
  // A seventh shows whether the drive keeps its first speed.
  if (Result<void> measured = calibration.measure_burst_and_rest(plan.duration / 7); !measured) {
    return propagate(measured);
  }
  if (Result<void> measured =
          calibration.measure_until(start, plan.duration, plan.rounds, progress, refusals);
      !measured) {
    return propagate(measured);
  }
  return calibration.profile();
}

}  // namespace spillway
