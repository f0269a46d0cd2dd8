#include "app/calibrate/drive_watch.h"

#include <algorithm>
#include <limits>

#include "app/report/host.h"
#include "core/expects.h"
#include "core/units.h"
#include "host/linux/device_bytes.h"
#include "runtime/expert_places.h"

namespace spillway {
namespace {

constexpr Nanoseconds kBetweenLooks = std::chrono::seconds(1);
constexpr Nanoseconds kLook = std::chrono::milliseconds(500);

// Returns the largest number of reads that an expert takes.
size_t most_ranges(const ExpertStore& store, const ModelGeometry& geometry) {
  size_t most = 1;
  std::vector<ByteRange> ranges;
  for (uint32_t layer = 0; layer < geometry.layers; ++layer) {
    ranges.clear();
    store.ranges(geometry.id(layer, 0), ranges);
    most = std::max(most, ranges.size());
  }
  return most;
}

// Plans few loads, so that each is measured often: the depths that one layer's misses can have in flight, and
// one depth far above them.
MethodPlan plan_of(const ExpertStore& store, const ModelGeometry& geometry, const BackendChoice& backend,
                   uint64_t alignment, Nanoseconds pause) {
  const size_t ranges = most_ranges(store, geometry);
  std::vector<uint32_t> depths = {1};
  while (depths.back() < geometry.top_k * ranges) {
    depths.push_back(2 * depths.back());
  }
  depths.push_back(4 * depths.back());
  // The blocks of a batch lie as close together as a layer's experts, and no batch reads a block twice.
  const uint64_t stretch = std::max<uint64_t>(geometry.experts_per_layer * ranges, depths.back());
  return {
      backend.text, backend, MethodPlan::Start::direct, read_sizes(store, geometry, alignment), depths, false,
      stretch,      pause};
}

}  // namespace

std::vector<uint64_t> read_sizes(const ExpertStore& store, const ModelGeometry& geometry,
                                 uint64_t alignment) {
  uint64_t least = std::numeric_limits<uint64_t>::max();
  uint64_t greatest = 0;
  std::vector<ByteRange> ranges;
  for (uint32_t layer = 0; layer < geometry.layers; ++layer) {
    for (uint32_t expert = 0; expert < geometry.experts_per_layer; ++expert) {
      ranges.clear();
      store.ranges(geometry.id(layer, expert), ranges);
      for (const ByteRange& range : ranges) {
        const uint64_t bytes = range.bytes > 0 ? aligned_to(range, alignment).bytes : 0;
        least = bytes > 0 ? std::min(least, bytes) : least;
        greatest = std::max(greatest, bytes);
      }
    }
  }
  Expects(greatest > 0);
  return greatest - least <= least / 16 ? std::vector{least} : std::vector{least, greatest};
}

DriveWatch::DriveWatch(const ExpertStore& store, const ModelGeometry& geometry, const BackendChoice& backend,
                       uint64_t alignment, Nanoseconds pause, uint64_t seed)
    : calibration_(store.files(), {plan_of(store, geometry, backend, alignment, pause)}, seed) {}

Result<void> DriveWatch::open() {
  std::vector<std::string> refusals;  // unused: a refused backend is an error, as the plan has only one
  return calibration_.open(refusals);
}

Result<void> DriveWatch::look() {
  const double cpu_before = process_cpu_seconds();
  const double stolen_before = stolen_cpu_seconds().value_or(0);
  const std::optional<uint64_t> before = process_device_bytes();
  Result<void> measured = calibration_.measure_round(kLook);
  const std::optional<uint64_t> after = process_device_bytes();
  cpu_s_ += process_cpu_seconds() - cpu_before;
  stolen_cpu_s_ += stolen_cpu_seconds().value_or(0) - stolen_before;
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
