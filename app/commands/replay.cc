#include "app/run/replay.h"

#include "app/cli/cli.h"
#include "app/run/device_profile.h"
#include "core/json.h"
#include "host/file.h"

namespace spillway {
namespace {

// Fails if --watch-drive makes no sense for this run.
Result<void> check_watch(const ReplayOptions& options) {
  if (options.watch_drive.empty()) {
    return {};
  }
  if (!options.rig.backend.traits.is_direct) {
    return wrong_usage(
        "--watch-drive needs a backend that reads past the page cache (uring, pread:direct=1), not {}",
        options.rig.backend.text);
  }
  if (options.rig.memory.count > 0) {
    return wrong_usage(
        "--watch-drive cannot be combined with --memory: its own memory would count; leave out one of them");
  }
  if (options.rig.throttle.count > 0) {
    return wrong_usage(
        "--watch-drive cannot be combined with --throttle: while the run is paused the throttle accumulates "
        "burst credit, which the measurement would count as the drive's speed; "
        "use `simulate --device bucket:bandwidth={}`",
        option_text(options.rig.throttle));
  }
  if (options.watch_drive == "-") {
    return wrong_usage("--watch-drive -: stdout is for the report; name a file");
  }
  return check_output_path("--watch-drive", options.watch_drive, options.run.trace);
}

Result<void> run_replay(const ReplayOptions& options, const Invocation& invocation) {
  if (Result<void> sensible = check_watch(options); !sensible) {
    return sensible;
  }
  Result<Composition> parts = compose(options.run);
  if (!parts) {
    return propagate(parts);
  }
  Rig rig;
  if (Result<void> made = make_rig(options, *parts, invocation, rig); !made) {
    return made;
  }
  if (options.watch_drive.empty()) {
    Result<Report> report = replay(options, *parts, rig, invocation);
    return report ? print_report(*report, options.run.json) : propagate(report);
  }
  Result<Nanoseconds> pause = between_reads(options.run.compute, *parts->trace->steps.cursor());
  if (!pause) {
    return propagate(pause);
  }
  DriveWatch watch(*rig.store, parts->trace->header.geometry, options.rig.backend,
                   rig.backend->caps().alignment, *pause, options.run.seed);
  if (Result<void> opened = watch.open(); !opened) {
    return opened;
  }
  Result<Report> report = replay(options, *parts, rig, invocation, &watch);
  if (!report) {
    return propagate(report);
  }
  Result<void> printed = print_report(*report, options.run.json);
  if (!printed || report->interrupted) {
    return printed;
  }
  Result<DeviceProfile> profile = watch.profile();
  return profile ? write_json(to_json(*profile), options.watch_drive) : propagate(profile);
}

}  // namespace

void add_replay_command(Command app, Invocation& invocation) {
  auto options = std::make_shared<ReplayOptions>();
  Command command = app.subcommand("replay", "Run a trace against real storage: the main job");
  command.footer(
      "Examples:\n"
      "  spillway replay trace.bin --backend uring --cache 10GB\n"
      "  spillway replay trace.bin --backend pread --cache 0 --memory 10GB     the page cache instead\n"
      "  spillway replay trace.bin --store model.gguf --cache 4GB --compute 2ms");
  add_replay_options(command, *options);
  command.runs(invocation, [options, &invocation] { return run_replay(*options, invocation); });
}

}  // namespace spillway
