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

// A drive to simulate, in one of four forms. `linear:bandwidth=7GB/s` is a model with its parameters.
// `nvme-gen4` is a preset. `nvme.json` is a profile that calibrate wrote, interpolated.
// `queueing@nvme.json` is the model that was fitted to that profile. Each may begin with a count: `4x` is a
// stripe of four such drives.
struct DriveChoice {
  std::string device = "linear";
  // Access method of a profile, or the backend it was measured with; empty: the profile's first.
  std::string method = {};
  std::optional<uint32_t> depth = {};  // requests in flight at most; none: the profile's, else 32
  Bytes stripe_chunk{512 * kKiB};
  uint64_t seed = 0;
  // Size of a page cache in front of the drive; 0: none. Hits are timed by the profile's warm method of the
  // same name (`pread warm` for `pread cold`), or by the device model `warm`.
  Bytes page_cache{0};
  Bytes read_ahead{0};
  DeviceChoice warm = device_models().known("linear:bandwidth=8GB/s,latency=20us");

  bool operator==(const DriveChoice&) const = default;
};

struct OpenDrive {
  DeviceChoice model;
  std::string resolved;  // description, with stripe and method
  uint32_t drives = 1;
  SimulatedBackend::Options limits;
  uint64_t stripe_chunk = 0;
  uint64_t seed = 0;
  std::unique_ptr<const AccessMethod> measured;  // method of the profile, if one was named
  uint64_t page_cache = 0;
  uint64_t read_ahead = 0;
  DeviceChoice warm;
  std::unique_ptr<const AccessMethod> warm_measured;

  // Makes a new device in its initial state; may be called any number of times. The device refers to this
  // object, which must outlive it.
  std::unique_ptr<DeviceModel> make() const;
  // Makes the drives alone at their usual speed: without randomness and page cache.
  std::unique_ptr<DeviceModel> make_usual() const;
  // Returns the rate of the drives when they are kept busy with large reads.
  double best_bytes_per_s() const;
  // Returns the rate with random reads of `block` bytes, with as many in flight as the drives take.
  double sustained_bytes_per_s(uint64_t block) const;

 private:
  std::unique_ptr<DeviceModel> make_drives(bool usual) const;
};

// Declares all options of a choice but --device, which each command explains in its own words.
void add_drive_options(Command command, DriveChoice& choice);

Result<OpenDrive> open_drive(const DriveChoice& choice);

}  // namespace spillway
