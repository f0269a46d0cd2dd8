#include "experiments/drive_watch.h"

#include <set>

#include "backends/device_bytes.h"
#include "core/units.h"
#include "experiments/host.h"

namespace spillway {
namespace {

constexpr Nanoseconds kBetweenLooks = std::chrono::seconds(2);
constexpr Nanoseconds kLook = std::chrono::milliseconds(1200);

MethodPlan plan_of(const ExpertStore& store, const ModelGeometry& geometry, const std::string& backend) {
  return {backend, backend, MethodPlan::Start::direct, read_sizes(store, geometry), {1, 2, 4, 8, 16, 32},
          false};
}

}  // namespace

std::vector<uint64_t> read_sizes(const ExpertStore& store, const ModelGeometry& geometry) {
  constexpr size_t kMost = 3;
  std::set<uint64_t> sizes;
  std::vector<ByteRange> ranges;
  for (uint32_t layer = 0; layer < geometry.layers; ++layer) {
    if (geometry.expert_bytes[layer] > 0) {
      ranges.clear();
      store.ranges(geometry.id(layer, 0), ranges);
      for (const ByteRange& range : ranges) {
        sizes.insert(round_up(range.bytes, 4096));
      }
    }
  }
  if (sizes.size() > kMost) {
    return {*sizes.begin(), *sizes.rbegin()};
  }
  return {sizes.begin(), sizes.end()};
}

DriveWatch::DriveWatch(const ExpertStore& store, const ModelGeometry& geometry, const std::string& backend,
                       uint64_t seed)
    : calibration_(store.files(), {plan_of(store, geometry, backend)}, seed) {}

Result<void> DriveWatch::open() {
  std::vector<std::string> refusals;  // a refused backend is an error: there is no other
  return calibration_.open(refusals);
}

Result<void> DriveWatch::look() {
  const double cpu_before = process_cpu_seconds();
  const std::optional<uint64_t> before = process_device_bytes();
  Result<void> measured = calibration_.measure_round(kLook, [] {});
  const std::optional<uint64_t> after = process_device_bytes();
  cpu_s_ += process_cpu_seconds() - cpu_before;
  device_bytes_ += before && after ? *after - *before : 0;
  return measured;
}

Result<void> DriveWatch::look_when_due(SteadyClock& clock) {
  const Nanoseconds now = clock.now();
  if (now - last_look_ < kBetweenLooks) {
    return {};
  }
  Result<void> looked = look();
  clock.forget(clock.now() - now);
  last_look_ = now;
  return looked;
}

}  // namespace spillway
