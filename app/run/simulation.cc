#include "app/run/simulation.h"

namespace spillway {

Result<void> run_simulation(Composition& parts, const ExpertStore& store, std::unique_ptr<DeviceModel> made,
                            const SimulatedBackend::Options& limits, Report& report) {
  report.virtual_time = true;
  report.io.verify = "off";
  VirtualClock clock;
  const DeviceModel& device = *made;
  SimulatedBackend backend(std::move(made), clock, limits);
  report.backend_note = backend.caps().note;
  if (Result<void> ran = run_trace(parts, {backend, store, nullptr, clock, {}}, report); !ran) {
    return ran;
  }
  report.io.device_bytes = device.bytes_behind_page_cache();
  report.io.cpu_s = 0;  // that of the simulator is not reported: it says nothing about what is simulated
  return {};
}

}  // namespace spillway
