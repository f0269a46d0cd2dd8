#pragma once

#include <string>

#include "core/json_fwd.h"
#include "core/result.h"
#include "sim/profile.h"

namespace spillway {

// JSON `spillway.device/1`.
Json to_json(const DeviceProfile& profile);

// Reads a profile that calibrate wrote. Fails on a file of another kind, naming the key that is wrong.
Result<DeviceProfile> load_device_profile(const std::string& path);

}  // namespace spillway
