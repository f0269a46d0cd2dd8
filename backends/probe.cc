#include "backends/probe.h"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "backends/list.h"
#include "backends/steady_load.h"
#include "host/linux/device_bytes.h"
#include "host/posix_file.h"

namespace spillway {
namespace {

// Settings at which drives are fastest. The best of them differs from drive to drive.
struct Setting {
  uint64_t block;
  uint32_t depth;
};
constexpr std::array<Setting, 6> kSettings = {
    {{512 * kKiB, 32}, {1 * kMiB, 8}, {1 * kMiB, 16}, {2 * kMiB, 8}, {2 * kMiB, 16}, {4 * kMiB, 8}}};

// Each setting is measured in several rounds, so that a disturbance from outside does not
// hit only one setting.
constexpr uint32_t kRounds = 2;

// Returns the backends that can read at a setting: io_uring, or else as many threads as reads in flight.
std::array<std::string, 2> specs(const Setting& setting) {
  return {fmt::format("uring:depth={}", setting.depth),
          fmt::format("pread:direct=1,threads={},depth={}", setting.depth, setting.depth)};
}

// Makes the backend for a setting: io_uring unless it was refused before.
Result<std::unique_ptr<Backend>> make_backend(MakeProbeBackend make, const Setting& setting,
                                              std::span<std::byte> memory, bool& refused) {
  const std::array<std::string, 2> how = specs(setting);
  Result<std::unique_ptr<Backend>> made = make(how[refused ? 1 : 0]);
  if (!made && !refused) {
    refused = true;
    made = make(how[1]);
  }
  if (!made) {
    return made;
  }
  if (Result<void> attached = (*made)->attach(memory); !attached) {
    return propagate(attached);
  }
  return made;
}

}  // namespace

Result<ProbeResult> probe_drive(std::span<const std::string> files, Nanoseconds duration,
                                std::span<std::byte> memory) {
  return probe_drive(files, duration, memory,
                     [&](const std::string& spec) { return backends().known(spec).make({files}); });
}

Result<ProbeResult> probe_drive(std::span<const std::string> files, Nanoseconds duration,
                                std::span<std::byte> memory, MakeProbeBackend make) {
  constexpr uint64_t kSeed = 0x70726f6265;
  Result<LoadPlaces> places = LoadPlaces::of_files(files, kSeed);
  if (!places) {
    return propagate(places);
  }
  std::vector<Setting> settings;
  for (const Setting& setting : kSettings) {
    const uint64_t room = memory.size() / memory_for_load(setting.block, 1);
    if (room > 0 && places->blocks_of(setting.block) >= 2) {
      settings.push_back({setting.block, uint32_t(std::min<uint64_t>(setting.depth, room))});
    }
  }
  if (settings.empty()) {
    return failed("the store is too small to measure its drive; use a larger store or --no-probe");
  }
  ProbeResult best;
  bool refused = false;
  const std::optional<uint64_t> before = process_device_bytes();
  std::vector<double> rates(settings.size(), 0);
  for (uint32_t round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < settings.size(); ++i) {
      Result<std::unique_ptr<Backend>> backend = make_backend(make, settings[i], memory, refused);
      if (!backend) {
        return propagate(backend);
      }
      const LoadResult got = run_load(**backend, *places,
                                      {.block = settings[i].block,
                                       .depth = settings[i].depth,
                                       .duration = duration / (kRounds * settings.size())},
                                      memory);
      if (got.error != 0) {
        return failed("cannot probe the drive: reading {} bytes failed: {}", settings[i].block, got.why);
      }
      rates[i] += got.bytes_per_s / kRounds;
      best.bytes_requested += got.requested_bytes;
    }
  }
  for (size_t i = 0; i < settings.size(); ++i) {
    if (rates[i] > best.bytes_per_second) {
      best.bytes_per_second = rates[i];
      best.setting = fmt::format("{}, {} reads, {} in flight", refused ? "pread with O_DIRECT" : "io_uring",
                                 exact_bytes(Bytes{settings[i].block}), settings[i].depth);
    }
  }
  const std::optional<uint64_t> after = process_device_bytes();
  best.bytes_from_device = before && after ? *after - *before : 0;
  return best;
}

}  // namespace spillway
