#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "app/cli/command.h"
#include "core/ports.h"
#include "sim/list.h"
#include "sim/profile.h"
#include "sim/simulated_backend.h"

namespace spillway {

// A drive to simulate: `linear:bandwidth=7GB/s`, a model by its parameters; `nvme-gen4`, a preset;
// `nvme.json`, what calibrate wrote, interpolated; `queueing@nvme.json`, the model that was fitted to it;
// each with `4x` in front for a stripe of so many.
struct DriveChoice {
  std::string device = "linear";
  // Of a profile: the access method or the backend it was measured with; empty: the first.
  std::string method = {};
  std::optional<uint32_t> depth = {};  // requests it takes at a time; none: as many as were measured, else 32
  Bytes stripe_chunk{512 * kKiB};
  uint64_t seed = 0;
  // Page cache in front of it; 0: none. What is there is read as by the profile's warm method of the same
  // name
  // (`pread cold`, `pread warm`), or by `warm`, a device model.
  Bytes page_cache{0};
  Bytes read_ahead{0};
  DeviceChoice warm = device_models().known("linear:bandwidth=8GB/s,latency=20us");

  bool operator==(const DriveChoice&) const = default;
};

struct OpenDrive {
  DeviceChoice model;
  std::string resolved;  // with stripe and method
  uint32_t drives = 1;
  SimulatedBackend::Options limits;
  uint64_t stripe_chunk = 0;
  uint64_t seed = 0;
  std::unique_ptr<const AccessMethod> measured;  // if a profile was named: how it was read
  uint64_t page_cache = 0;
  uint64_t read_ahead = 0;
  DeviceChoice warm;
  std::unique_ptr<const AccessMethod> warm_measured;

  // One in its initial state, however often. This must outlive it.
  std::unique_ptr<DeviceModel> make() const;
  // The drives alone, at their usual speed: without draws and page cache.
  std::unique_ptr<DeviceModel> make_usual() const;
  // What they deliver when they are kept busy with large reads.
  double best_bytes_per_s() const;
  // The same with reads of `block` bytes at random, as many in flight as they take.
  double sustained_bytes_per_s(uint64_t block) const;

 private:
  std::unique_ptr<DeviceModel> make_drives(bool usual) const;
};

// All of a choice but --device, which commands explain in words of their own.
void add_drive_options(Command command, DriveChoice& choice);

Result<OpenDrive> open_drive(const DriveChoice& choice);

}  // namespace spillway
