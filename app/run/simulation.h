#pragma once

#include <memory>

#include "app/run/run.h"
#include "core/ports.h"
#include "sim/simulated_backend.h"

namespace spillway {

// Runs a trace in virtual time, its experts where `store` has them on the drive `made`, and reports that.
Result<void> run_simulation(Composition& parts, const ExpertStore& store, std::unique_ptr<DeviceModel> made,
                            const SimulatedBackend::Options& limits, Report& report);

}  // namespace spillway
