#pragma once

#include <string>

#include "core/json_fwd.h"
#include "core/result.h"
#include "core/units.h"

namespace spillway {

// Limit for files that a person writes or a calibration measures: presets, profiles, experiments.
inline constexpr uint64_t kMostDocumentBytes = 64 * kMiB;
// Limit for files that a command computes: reports, curves, points of sweeps.
inline constexpr uint64_t kMostResultBytes = kGiB;

// Reads the JSON in a file. Errors begin with the path.
Result<Json> read_json(const std::string& path, uint64_t most_bytes);

}  // namespace spillway
