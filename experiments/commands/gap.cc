#include "experiments/gap.h"

#include <nlohmann/json.hpp>

#include "experiments/cli.h"
#include "experiments/gap_runs.h"
#include "experiments/whole_file.h"

namespace spillway {
namespace {

struct GapOptions {
  ReplayOptions replay;
  std::string device;
  std::string method;
  std::string live;
};

using Json = nlohmann::json;

// Seconds per token of the decode that `record --json` reported, if it was the run that is being explained.
Result<double> live_seconds_per_token(const std::string& path, const ExplainedRun& run) {
  Result<std::string> text = read_whole(path);
  if (!text) {
    return propagate(text);
  }
  try {
    const Json live = Json::parse(*text);
    if (live.at("schema") != "spillway.report/1" || live.at("run").at("command") != "record") {
      return failed("{}: not the report of a record run (record --json FILE)", path);
    }
    const Json& measured = live.at("phases").at("measured");
    const auto tokens = measured.at("tokens").get<uint64_t>();
    for (const char* key : {"cache_bytes", "evict", "prefetch"}) {
      for (const auto& [name, value] : run.report.config) {
        if (name == key && live.at("config").at(key) != value) {
          return wrong_usage("--live {}: was recorded with {} {}, and this run has {}", path, key,
                             live.at("config").at(key).get<std::string>(), value);
        }
      }
    }
    if (tokens != run.report.metrics.decode().tokens) {
      return wrong_usage("--live {}: has {} tokens of decode, and the trace that was replayed has {}", path,
                         tokens, run.report.metrics.decode().tokens);
    }
    return measured.at("wall_ns").get<double>() / 1e9 / double(std::max<uint64_t>(tokens, 1));
  } catch (const Json::exception& problem) {
    return failed("{}: not a usable report: {}", path, problem.what());
  }
}

Result<void> check_options(const GapOptions& options) {
  if (options.device.empty() && !options.method.empty()) {
    return wrong_usage("--method {}: is of a profile; give --device PROFILE.json", options.method);
  }
  if (!options.device.empty() && !options.live.empty()) {
    return wrong_usage("--live and --device: a run that really was cannot be explained by an imagined drive");
  }
  if (!options.live.empty() && options.replay.run.compute == "none") {
    return wrong_usage("--live {}: needs --compute recorded, for its model really computed", options.live);
  }
  return {};
}

Result<void> run_gap(const GapOptions& options, const Invocation& invocation) {
  if (Result<void> right = check_options(options); !right) {
    return right;
  }
  Result<ExplainedRun> run =
      options.device.empty()
          ? explain_replay(options.replay, invocation)
          : explain_simulation({options.replay.run, options.device, options.method}, invocation);
  if (!run) {
    return propagate(run);
  }
  if (!options.live.empty()) {
    Result<double> live = live_seconds_per_token(options.live, *run);
    if (!live) {
      return propagate(live);
    }
    run->evidence.achieved_s = *live;
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
      "  spillway gap trace.bin --device nvme.json --cache 4GB --compute 1ms\n"
      "  spillway gap trace.bin --live record.json --store model.gguf --cache 4GB --compute recorded");
  add_replay_options(command, options->replay);
  command
      .text("--device", options->device,
            "Simulate on this instead: a device model, or a profile that calibrate wrote")
      .type_name("DEVICE");
  command.text("--method", options->method, "The profile's access method").type_name("NAME");
  command
      .text("--live", options->live,
            "Explain the run of record that wrote the trace and, by --json, this report")
      .type_name("REPORT");
  command.runs(invocation, [options, &invocation] { return run_gap(*options, invocation); });
}

}  // namespace spillway
