#pragma once

#include <string>

#include "experiments/report.h"

namespace spillway {

HostFacts describe_host();

// The time now, UTC, ISO 8601 to the second.
std::string utc_date();

// User and system time of this process so far, all threads.
double process_cpu_seconds();

}  // namespace spillway
