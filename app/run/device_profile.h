#pragma once

#include <string>

#include "core/json_fwd.h"
#include "core/result.h"
#include "sim/profile.h"

namespace spillway {

// Writes the profile as JSON `spillway.device/1`.
Json to_json(const DeviceProfile& profile);

// Reads a profile that calibrate wrote. Fails on a file of another kind, and names the wrong key.
Result<DeviceProfile> load_device_profile(const std::string& path);

}  // namespace spillway
