#include "app/calibrate/calibrate.h"

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
  Calibration calibration(files, plan.methods, plan.seed);
  if (Result<void> opened = calibration.open(refusals); !opened) {
    return propagate(opened);
  }
  if (Result<void> measured = calibration.measure_burst_and_rest(plan.duration / 100); !measured) {
    return propagate(measured);
  }
  const uint64_t total = calibration.loads() * plan.rounds;
  uint64_t done = 0;
  for (uint32_t round = 0; round < plan.rounds; ++round) {
    const auto measured_one = [&] { progress(++done, total); };
    if (Result<void> measured = calibration.measure_round(plan.duration / plan.rounds, measured_one);
        !measured) {
      return propagate(measured);
    }
  }
  return calibration.profile();
}

}  // namespace spillway
