#include <algorithm>
#include <span>

#include "app/plan/sources.h"
#include "app/presets/plan_presets.h"
#include "app/presets/presets.h"
#include "app/run/device_profile.h"
#include "core/units.h"

namespace spillway {
namespace {

// Latency in seconds that is assumed for a drive of which only the rate is known.
constexpr double kUsualLatency = 80e-6;

double best_rate(std::span<const LoadPoint> points) {
  double best = 0;
  for (const LoadPoint& point : points) {
    best = std::max(best, point.bytes_per_s);
  }
  return best;
}

Result<plan::Drive> calibrated_drive(const std::string& path) {
  constexpr size_t kMedian = 2;
  static_assert(kLatencyQuantiles[kMedian] == 0.5);
  Result<DeviceProfile> profile = load_device_profile(path);
  if (!profile) {
    return propagate(profile);
  }
  if (profile->methods.empty() || profile->methods.front().random.empty()) {
    return failed("{}: the profile has no reads; run spillway calibrate again", path);
  }
  const AccessMethod& method = profile->methods.front();
  const LoadPoint& smallest = *std::min_element(
      method.random.begin(), method.random.end(), [](const LoadPoint& a, const LoadPoint& b) {
        return std::pair(a.block_bytes, a.depth) < std::pair(b.block_bytes, b.depth);
      });
  plan::Drive drive;
  drive.name = path;
  drive.bandwidth = std::max(best_rate(method.random), best_rate(method.sequential));
  drive.latency_s = smallest.latency_ns[kMedian] / 1e9;
  if (drive.bandwidth <= 0) {
    return failed("{}: no read in the profile moved any bytes; run spillway calibrate again", path);
  }
  return drive;
}

}  // namespace

Result<plan::Drive> find_drive(const std::string& text) {
  const Result<Bytes> as_rate = parse_rate(text);
  if (!as_rate && is_preset_path(text)) {
    return schema_of_file(text) == kDriveSchema ? load_drive(text) : calibrated_drive(text);
  }
  if (as_rate && as_rate->count > 0) {
    plan::Drive drive;
    drive.name = text;
    drive.bandwidth = double(as_rate->count);
    drive.latency_s = kUsualLatency;
    return drive;
  }
  return load_drive(text);
}

}  // namespace spillway
