#include "backends/probe.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <vector>

#include "backends/device_bytes.h"
#include "backends/list.h"
#include "backends/posix_file.h"
#include "backends/store_files.h"
#include "core/rng.h"

namespace spillway {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Settings at which drives are at their best; which one it is differs from drive to drive.
struct Setting {
  uint64_t block;
  uint32_t depth;
};
constexpr std::array<Setting, 6> kSettings = {
    {{512 * kKiB, 32}, {1 * kMiB, 8}, {1 * kMiB, 16}, {2 * kMiB, 8}, {2 * kMiB, 16}, {4 * kMiB, 8}}};

// Each setting gets its time in rounds, so that a disturbance from outside does not hit one alone.
constexpr uint32_t kRounds = 2;

// Stores have a header and room behind it here, which were perhaps never written and cost no read.
constexpr uint64_t kHeader = 2 * kMiB;

// Random places of the files, each file chosen by its share of the bytes.
class Places {
 public:
  explicit Places(std::span<const uint64_t> sizes) {
    for (const uint64_t size : sizes) {
      const uint64_t begin = size >= 2 * kHeader ? kHeader : 0;
      files_.push_back({begin, size - begin});
      total_ += size - begin;
    }
  }

  uint64_t total() const { return total_; }

  // Nothing where the file that was drawn is shorter than a block.
  bool next(uint64_t block, ByteRange& range) {
    uint64_t at = rng_.below(total_);
    uint32_t file = 0;
    while (at >= files_[file].bytes) {
      at -= files_[file++].bytes;
    }
    if (files_[file].bytes < block) {
      return false;
    }
    const uint64_t blocks = files_[file].bytes / block;
    range = {file, files_[file].begin + std::min(at / block, blocks - 1) * block, block};
    return true;
  }

 private:
  struct File {
    uint64_t begin;
    uint64_t bytes;
  };
  std::vector<File> files_;
  uint64_t total_ = 0;
  Rng rng_{0x70726f6265};
};

struct Measured {
  uint64_t bytes = 0;  // that arrived in `time`
  Nanoseconds time{0};
  uint64_t requested = 0;
  int error = 0;
};

// Keeps `depth` reads in flight until the time is over. What arrives later, when the drive is no longer kept
// busy, does not count.
Measured measure(Backend& backend, const Setting& setting, Places& places, std::span<std::byte> memory,
                 Nanoseconds duration) {
  Measured measured;
  std::vector<IoDone> done(setting.depth);
  std::vector<IoRequest> requests;
  std::vector<uint64_t> idle(setting.depth);  // tags, which are places in memory too
  for (uint64_t i = 0; i < setting.depth; ++i) {
    idle[i] = i;
  }
  const auto begin = SteadyClock::now();
  uint32_t in_flight = 0;
  while (true) {
    const bool over = SteadyClock::now() - begin >= duration || measured.error != 0;
    if (over && in_flight == 0) {
      return measured;
    }
    requests.clear();
    for (uint32_t tries = 0; !over && !idle.empty() && tries < 4 * setting.depth; ++tries) {
      IoRequest request = {
          .tag = idle.back(), .range = {}, .destination = &memory[idle.back() * setting.block]};
      if (places.next(setting.block, request.range)) {
        requests.push_back(request);
        idle.pop_back();
      }
    }
    in_flight += uint32_t(backend.submit(requests));
    measured.requested += requests.size() * setting.block;
    if (in_flight == 0) {
      return measured;
    }
    for (const IoDone& one : std::span(done).first(backend.reap(done, 1))) {
      --in_flight;
      idle.push_back(one.tag);
      measured.error = measured.error != 0 ? measured.error : one.error;
      if (!over) {
        measured.bytes += setting.block;
        measured.time = SteadyClock::now() - begin;
      }
    }
  }
}

// How each setting is read: by io_uring or by so many threads.
std::array<std::string, 2> specs(const Setting& setting) {
  return {fmt::format("uring:depth={}", setting.depth),
          fmt::format("pread:direct=1,threads={},depth={}", setting.depth, setting.depth)};
}

Result<std::vector<uint64_t>> sizes_of(std::span<const std::string> files) {
  Result<StoreFiles> store = open_store_files(files, false);
  if (!store) {
    return propagate(store);
  }
  std::vector<uint64_t> sizes;
  for (const StoreFile& file : store->files) {
    sizes.push_back(file.bytes);
  }
  return sizes;
}

// The backend for a setting; io_uring unless it was refused before.
Result<std::unique_ptr<Backend>> make_backend(std::span<const std::string> files, const Setting& setting,
                                              std::span<std::byte> memory, bool& refused) {
  const std::array<std::string, 2> how = specs(setting);
  Result<Made<Backend>> made = make_plugin(backends(), "backend", how[refused ? 1 : 0], BackendEnv{files});
  if (!made && !refused) {
    refused = true;
    made = make_plugin(backends(), "backend", how[1], BackendEnv{files});
  }
  if (!made) {
    return propagate(made);
  }
  if (Result<void> attached = made->port->attach(memory); !attached) {
    return propagate(attached);
  }
  return std::move(made->port);
}

}  // namespace

Result<ProbeResult> probe_drive(std::span<const std::string> files, Nanoseconds duration,
                                std::span<std::byte> memory) {
  Result<std::vector<uint64_t>> sizes = sizes_of(files);
  if (!sizes) {
    return propagate(sizes);
  }
  Places places(*sizes);
  std::vector<Setting> settings;
  for (const Setting& setting : kSettings) {
    const uint64_t room = memory.size() / setting.block;
    if (room > 0 && places.total() >= 2 * setting.block) {
      settings.push_back({setting.block, uint32_t(std::min<uint64_t>(setting.depth, room))});
    }
  }
  if (settings.empty()) {
    return failed("the store is too small to measure its drive with; use a larger one or --no-probe");
  }
  ProbeResult best;
  bool refused = false;
  const std::optional<uint64_t> before = process_device_bytes();
  std::vector<Measured> sums(settings.size());
  for (uint32_t round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < settings.size(); ++i) {
      Result<std::unique_ptr<Backend>> backend = make_backend(files, settings[i], memory, refused);
      if (!backend) {
        return propagate(backend);
      }
      const Measured got =
          measure(**backend, settings[i], places, memory, duration / (kRounds * settings.size()));
      if (got.error != 0) {
        return failed("cannot probe the drive: reading {} bytes failed: {}", settings[i].block,
                      error_text(got.error));
      }
      sums[i].bytes += got.bytes;
      sums[i].time += got.time;
      best.bytes_requested += got.requested;
    }
  }
  for (size_t i = 0; i < settings.size(); ++i) {
    const double rate = sums[i].bytes > 0 ? double(sums[i].bytes) / seconds(sums[i].time) : 0;
    if (rate > best.bytes_per_second) {
      best.bytes_per_second = rate;
      best.setting = fmt::format("{}, {} reads, {} in flight", refused ? "pread with O_DIRECT" : "io_uring",
                                 exact_bytes(Bytes{settings[i].block}), settings[i].depth);
    }
  }
  const std::optional<uint64_t> after = process_device_bytes();
  best.bytes_from_device = before && after ? *after - *before : 0;
  return best;
}

}  // namespace spillway
