#pragma once

#include <optional>
#include <span>
#include <string>

#include "app/report/report.h"

namespace spillway {

HostFacts describe_host();

// Describes the storage below the files of a store: every file system and drive once.
StoreFacts describe_files(std::span<const std::string> files);

// Returns the time now: UTC, ISO 8601 to the second.
std::string utc_date();

// Returns the user and system time of this process so far, of all threads.
double process_cpu_seconds();

// Returns the steal time since boot, of all cores together: time in which a virtual processor had work and
// its host did not let it run. Nothing without /proc; 0 if the host does not report it.
std::optional<double> stolen_cpu_seconds();

}  // namespace spillway
