#include "app/run/replay.h"

#include "app/cli/cli.h"
#include "app/repeat/repeat.h"
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

Result<Report> replay_once(const ReplayOptions& options, Composition& parts, const Invocation& invocation) {
  Rig rig;
  if (Result<void> made = make_rig(options, parts, invocation, rig); !made) {
    return propagate(made);
  }
  return replay(options, parts, rig, invocation);
}

Result<void> run_replay(const ReplayOptions& options, const Invocation& invocation) {
  if (Result<void> sensible = check_watch(options); !sensible) {
    return sensible;
  }
  Result<Composition> parts = compose(options.run);
  if (!parts) {
    return propagate(parts);
  }
  if (options.watch_drive.empty()) {
    Result<Report> report = replay_once(options, *parts, invocation);
    return report ? print_report(*report, options.run.json) : propagate(report);
  }
  Rig rig;
  if (Result<void> made = make_rig(options, *parts, invocation, rig); !made) {
    return made;
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

// Makes the runs of several values, or several runs, one after another on the same store.
Result<void> run_replays(const RepeatOptions& repeated, ReplayOptions& options,
                         const Invocation& invocation) {
  if (!options.watch_drive.empty()) {
    return wrong_usage(
        "--watch-drive measures during one run; leave out --runs, --format and further values");
  }
  return repeat(repeated, options.run, invocation,
                [&](Composition& parts) { return replay_once(options, parts, invocation); });
}

}  // namespace

void add_replay_command(Command app, Invocation& invocation) {
  auto options = std::make_shared<ReplayOptions>();
  auto repeated = std::make_shared<RepeatOptions>();
  Command command = app.subcommand("replay", "Run a trace against real storage: the main job");
  command.footer(
      std::string(kListedHelp) +
      "Examples:\n"
      "  spillway replay trace.bin --backend uring --cache 10GB\n"
      "  spillway replay trace.bin --backend pread --cache 0 --memory 10GB     the page cache instead\n"
      "  spillway replay trace.bin --store model.gguf --cache 4GB --compute 2ms\n"
      "  spillway replay trace.bin --cache 1GB,2GB,4GB --evict lru,lfu --runs 5 --json runs.json");
  add_replay_options(command, *options, &repeated->listed);
  add_repeat_options(command, *repeated);
  command.runs(invocation, [options, repeated, &invocation] {
    return repeated->is_asked() ? run_replays(*repeated, *options, invocation)
                                : run_replay(*options, invocation);
  });
}

}  // namespace spillway
