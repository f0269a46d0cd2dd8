#pragma once

#include <memory>

#include "app/run/run.h"
#include "core/ports.h"
#include "sim/simulated_backend.h"

namespace spillway {

// Runs a trace in virtual time and fills in the report. The experts lie on the drive `made`,
// where `store` has them.
Result<void> run_simulation(Composition& parts, const ExpertStore& store, std::unique_ptr<DeviceModel> made,
                            const SimulatedBackend::Options& limits, Report& report);

}  // namespace spillway
