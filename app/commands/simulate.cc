#include "app/cli/cli.h"
#include "app/repeat/repeat.h"
#include "app/run/open_drive.h"
#include "app/run/run.h"
#include "app/run/simulation.h"
#include "stores/unmade_store.h"

namespace spillway {
namespace {

struct SimulateOptions : RunOptions {
  DriveChoice drive;
  std::optional<uint32_t> ranges;
};

Result<Report> simulate_once(const SimulateOptions& options, Composition& parts,
                             const Invocation& invocation) {
  DriveChoice choice = options.drive;
  choice.seed = options.seed;
  Result<OpenDrive> drive = open_drive(choice);
  if (!drive) {
    return propagate(drive);
  }
  Report report = begin_report("simulate", options, parts, invocation);
  report.config.emplace_back("device", drive->resolved);
  report.config.emplace_back("depth", fmt::format("{}", drive->limits.depth));
  report.config.emplace_back("ranges", fmt::format("{}", options.ranges.value_or(1)));
  report.ceilings.drive = {drive->best_bytes_per_s(), fmt::format("of the model {}", drive->resolved)};

  // The experts are laid out as in replay's scratch store.
  const UnmadeStore store = imagined_store(parts.trace->header.geometry, options.ranges.value_or(1));
  if (Result<void> ran = run_simulation(parts, store, drive->make(), drive->limits, report); !ran) {
    return propagate(ran);
  }
  if (Result<void> added = add_ceilings(parts.trace->steps, parts.policies.cache_bytes, report); !added) {
    return propagate(added);
  }
  return report;
}

Result<void> run_simulate(const SimulateOptions& options, const Invocation& invocation) {
  Result<Composition> parts = compose(options);
  if (!parts) {
    return propagate(parts);
  }
  Result<Report> report = simulate_once(options, *parts, invocation);
  return report ? print_report(*report, options.json) : propagate(report);
}

}  // namespace

void add_simulate_command(Command app, Invocation& invocation) {
  auto options = std::make_shared<SimulateOptions>();
  auto repeated = std::make_shared<RepeatOptions>();
  Command command = app.subcommand("simulate", "Run a trace against a simulated drive, in virtual time");
  command.footer(
      std::string(kListedHelp) +
      "Examples:\n"
      "  spillway simulate trace.bin --device linear:bandwidth=7GB/s --cache 4GB --compute 1ms\n"
      "  spillway simulate trace.bin --device nvme.json --method uring --cache 4GB\n"
      "  spillway simulate trace.bin --device nvme.json --method 'pread cold' --cache 0 --page-cache 8GB\n"
      "  spillway simulate trace.bin --device 4xqueueing:link=7GB/s --cache 4GB\n"
      "  spillway simulate trace.bin --cache 1GB,2GB,4GB --evict lru,lfu --format markdown");
  add_run_options(command, *options, &repeated->listed);
  command
      .text(
          "--device", options->drive.device,
          "A device model (spillway list devices), a preset (spillway list drives) or the path of your own,\n"
          "a profile that calibrate wrote, or MODEL@PROFILE for the model fitted to a profile;\n"
          "Nx before it: a stripe of N")
      .show_default()
      .type_name("DEVICE");
  add_drive_options(command, options->drive);
  command
      .count("--ranges", {.least = 1, .most = 3}, options->ranges,
             "Reads per expert: 1 as in a packed store (the default), or 3 as in a GGUF")
      .one_of({"1", "3"})
      .type_name("UINT");
  add_repeat_options(command, *repeated);
  command.runs(invocation, [options, repeated, &invocation] {
    return repeated->is_asked()
               ? repeat(*repeated, *options, invocation,
                        [&](Composition& parts) { return simulate_once(*options, parts, invocation); })
               : run_simulate(*options, invocation);
  });
}

}  // namespace spillway
