#include "experiments/replay.h"

#include "experiments/cli.h"

namespace spillway {
namespace {

Result<void> run_replay(const ReplayOptions& options, const Invocation& invocation) {
  Result<Composition> parts = compose(options.run);
  if (!parts) {
    return propagate(parts);
  }
  Rig rig;
  if (Result<void> made = make_rig(options, *parts, rig); !made) {
    return made;
  }
  Result<Report> report = replay(options, *parts, rig, invocation);
  return report ? print_report(*report, options.run.json) : propagate(report);
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
