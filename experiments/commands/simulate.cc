#include "experiments/cli.h"
#include "experiments/run.h"
#include "sim/imagined_store.h"
#include "sim/list.h"
#include "sim/simulated_backend.h"

namespace spillway {
namespace {

struct SimulateOptions : RunOptions {
  std::string device = "linear";
  uint32_t depth = 32;
};

Result<Made<DeviceModel>> make_device(const SimulateOptions& options) {
  return make_plugin(device_models(), "device model", options.device, DeviceEnv{options.seed});
}

// What the model delivers when it is kept busy: the rate at which a long queue of large reads drains.
Result<double> modelled_bandwidth(const SimulateOptions& options) {
  constexpr uint64_t kReads = 256;
  constexpr uint64_t kReadBytes = 4 * kMiB;
  Result<Made<DeviceModel>> device = make_device(options);
  if (!device) {
    return propagate(device);
  }
  Nanoseconds last{0};
  for (uint64_t i = 0; i < kReads; ++i) {
    const IoRequest request{i, {0, i * kReadBytes, kReadBytes}, nullptr};
    last = std::max(last, device->port->finish(request, Nanoseconds(0)));
  }
  return double(kReads * kReadBytes) / seconds(last);
}

Result<void> run_simulate(const SimulateOptions& options, const Invocation& invocation) {
  Result<Composition> parts = compose(options);
  if (!parts) {
    return propagate(parts);
  }
  Result<Made<DeviceModel>> device = make_device(options);
  if (!device) {
    return propagate(device);
  }
  Result<double> bandwidth = modelled_bandwidth(options);
  if (!bandwidth) {
    return propagate(bandwidth);
  }
  Report report = begin_report("simulate", options, *parts, invocation);
  report.virtual_time = true;
  report.config.emplace_back("device", device->resolved);
  report.config.emplace_back("depth", fmt::format("{}", options.depth));
  report.io.verify = "off";
  report.ceilings.drive = {*bandwidth, fmt::format("of the model {}", device->resolved)};

  const ModelGeometry geometry = parts->trace->header.geometry;
  const ImaginedStore store(geometry);
  VirtualClock clock;
  SimulatedBackend backend(std::move(device->port), clock, {options.depth});
  report.backend_note = backend.caps().note;
  if (Result<void> ran = run_trace(*parts, {backend, store, nullptr, clock, {}}, report); !ran) {
    return ran;
  }
  report.io.cpu_s = 0;  // of the simulator; says nothing about what it simulates
  if (Result<void> added = add_ceilings(parts->trace->steps, parts->policies.cache_bytes, report); !added) {
    return added;
  }
  return print_report(report, options.json);
}

}  // namespace

void add_simulate_command(Command app, Invocation& invocation) {
  auto options = std::make_shared<SimulateOptions>();
  Command command = app.subcommand("simulate", "Run a trace against a modelled drive, in virtual time");
  command.footer(
      "Example:\n  spillway simulate trace.bin --device linear:bandwidth=7GB/s --cache 4GB --compute 1ms");
  add_run_options(command, *options);
  command.text("--device", options->device, "Device model (see: spillway list devices)").show_default();
  command
      .count("--depth", {.least = 1, .most = 4096}, options->depth,
             "Requests that the device takes at a time")
      .show_default();
  command.runs(invocation, [options, &invocation] { return run_simulate(*options, invocation); });
}

}  // namespace spillway
