#include "experiments/gap.h"

#include "experiments/cli.h"
#include "experiments/gap_runs.h"

namespace spillway {
namespace {

struct GapOptions {
  ReplayOptions replay;
  std::string device;
  std::string method;
};

Result<void> run_gap(const GapOptions& options, const Invocation& invocation) {
  if (options.device.empty() && !options.method.empty()) {
    return wrong_usage("--method {}: is of a profile; give --device PROFILE.json", options.method);
  }
  Result<ExplainedRun> run =
      options.device.empty()
          ? explain_replay(options.replay, invocation)
          : explain_simulation({options.replay.run, options.device, options.method}, invocation);
  if (!run) {
    return propagate(run);
  }
  run->report.gap = explain(run->evidence);
  return print_report(run->report, options.replay.run.json);
}

}  // namespace

void add_gap_command(Command app, Invocation& invocation) {
  auto options = std::make_shared<GapOptions>();
  Command command =
      app.subcommand("gap", "Where the time between the drive's bandwidth and the achieved tok/s goes");
  command.footer(
      "Examples:\n"
      "  spillway gap trace.bin --backend uring --cache 4GB --compute recorded\n"
      "  spillway gap trace.bin --backend mmap --cache 4GB\n"
      "  spillway gap trace.bin --device nvme.json --cache 4GB --compute 1ms");
  add_replay_options(command, options->replay);
  command
      .text("--device", options->device,
            "Simulate on this instead: a device model, or a profile that calibrate wrote")
      .type_name("DEVICE");
  command.text("--method", options->method, "The profile's access method").type_name("NAME");
  command.runs(invocation, [options, &invocation] { return run_gap(*options, invocation); });
}

}  // namespace spillway
