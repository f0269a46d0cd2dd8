#pragma once

#include <optional>
#include <span>
#include <string>

#include "app/report/report.h"

namespace spillway {

HostFacts describe_host();

// What the files of a store lie on: every file system and drive that is among them, once.
StoreFacts describe_files(std::span<const std::string> files);

// The time now, UTC, ISO 8601 to the second.
std::string utc_date();

// User and system time of this process so far, all threads.
double process_cpu_seconds();

// Steal time since boot, all cores together: a virtual processor had work and its host did not let it run.
// None without /proc; 0 where the host does not say.
std::optional<double> stolen_cpu_seconds();

}  // namespace spillway
