#include "app/report/gap.h"

#include <algorithm>
#include <map>

#include "app/cli/cli.h"
#include "app/cli/json_file.h"
#include "app/cli/json_keys.h"
#include "app/gap/gap_runs.h"
#include "core/json.h"
#include "host/file.h"
#include "traces/identity.h"

namespace spillway {
namespace {

struct GapOptions {
  ReplayOptions replay;
  DriveChoice drive{.device = {}};  // empty: a real drive
  std::string live;
};

// The facts that `record --json` reported about the run to explain.
struct RecordedRun {
  std::map<std::string, std::string> config;  // cache_bytes, evict, prefetch, warm_up
  std::string memory_bytes;
  std::string model;
  std::string trace_identity;
  uint64_t passes = 0;  // of decode, without warm-up
  uint64_t tokens = 0;
  double wall_s = 0;   // of decode
  double stall_s = 0;  // part of wall_s
  bool is_disturbed = false;
};

Result<RecordedRun> read_live(const std::string& path) {
  const Result<Json> json = read_json(path, kMostResultBytes);
  if (!json) {
    return Unexpected(json.error());
  }
  JsonKeys keys(*json);
  if (keys.text("schema", "") != "spillway.report/1" || keys.child("run").text("command") != "record") {
    return failed("{}: not the report of a record run (record --json FILE)", path);
  }
  RecordedRun live;
  JsonKeys config = keys.child("config");
  for (const char* key : {"cache_bytes", "evict", "prefetch", "warm_up"}) {
    live.config[key] = config.text(key);
  }
  if (config.text("throttle_bytes_per_s", "0") != "0") {
    return failed("{}: was recorded with --throttle; `gap` cannot account for the throttle's burst credit",
                  path);
  }
  live.memory_bytes = config.text("memory_bytes");
  live.model = keys.child("trace").text("model");
  if (keys.child("run").has("identity")) {
    live.trace_identity = keys.child("run").child("identity").text("trace", "");
  }
  JsonKeys measured = keys.child("phases").child("measured");
  live.passes = measured.large_count("passes");
  live.tokens = measured.large_count("tokens");
  live.wall_s = measured.real("wall_ns") / 1e9;
  live.stall_s = measured.real("stall_ns") / 1e9;
  live.is_disturbed = is_disturbed(keys.child("io").real("stolen_share", 0));  // older reports have none
  if (keys.problem()) {
    return failed("{}: not a usable report: {}", path, keys.problem()->message);
  }
  return live.tokens > 0 && live.wall_s > 0 ? Result<RecordedRun>(live)
                                            : failed("{}: has no tokens of decode that took time", path);
}

// Fails unless `options` are those of the run that `live` reports, before hours are spent on them.
Result<void> check_same_run(const std::string& path, const RecordedRun& live, const RunOptions& options,
                            const Invocation& invocation) {
  Result<Composition> parts = compose(options);
  if (!parts) {
    return propagate(parts);
  }
  for (const auto& [key, value] : begin_report("gap", options, *parts, invocation).config) {
    if (const auto other = live.config.find(key); other != live.config.end() && other->second != value) {
      return wrong_usage("--live {}: was recorded with {} {}, but this run has {}", path, key, other->second,
                         value);
    }
  }
  const Result<std::string> identity = trace_identity(options.trace);
  if (!identity) {
    return Unexpected(identity.error());
  }
  if (!live.trace_identity.empty() && *identity != live.trace_identity) {
    return wrong_usage(
        "--live {}: is the report of another run: it recorded another trace than {}; name the report of this "
        "trace",
        path, options.trace);
  }
  if (const std::string& model = parts->trace->header.model; model != live.model) {
    return wrong_usage("--live {}: was recorded from {}, but {} is a trace of {}", path, live.model,
                       options.trace, model);
  }
  const uint64_t all = parts->trace->steps.decode_passes();
  const uint64_t passes = std::min(all, options.tokens.value_or(all));
  if (passes != options.warm_up + live.passes) {
    return wrong_usage("--live {}: has {} passes of decode, but {} has {}", path, live.passes, options.trace,
                       passes - std::min(passes, options.warm_up));
  }
  return {};
}

Result<void> check_options(const GapOptions& options) {
  const bool simulates = !options.drive.device.empty();
  if (!simulates && options.drive != DriveChoice{.device = {}}) {
    return wrong_usage(
        "--method, --depth, --stripe-chunk, --page-cache and --read-ahead describe a simulated drive; give "
        "--device too");
  }
  const ReplayOptions& replay = options.replay;
  if (replay.rig.throttle.count > 0) {
    return wrong_usage(
        "--throttle: between the runs of a gap the throttle accumulates burst credit, which the measurements "
        "would count as the drive's speed; use --device bucket:bandwidth={} instead",
        option_text(replay.rig.throttle));
  }
  if (!replay.watch_drive.empty()) {
    return wrong_usage("--watch-drive: `gap` measures the drive anyway; use the option with `replay`");
  }
  const RigOptions real;
  const bool of_real_storage = !replay.stores.empty() || replay.rig.memory.count > 0 ||
                               replay.rig.backend != real.backend || replay.rig.pages != real.pages ||
                               replay.rig.verify != real.verify || replay.rig.warm || replay.rig.no_probe;
  if (simulates && of_real_storage) {
    return wrong_usage(
        "--device {}: the drive is simulated; leave out the options for real storage, "
        "which are --store, --memory, --backend, --pages, --verify, --warm and --no-probe",
        options.drive.device);
  }
  if (simulates && !options.live.empty()) {
    return wrong_usage(
        "--live cannot be combined with --device: a simulated drive cannot explain a real run");
  }
  if (!options.live.empty() && options.replay.run.compute.kind == ComputePace::Kind::none) {
    return wrong_usage("--live {}: add --compute recorded; the live run's compute times are in the trace",
                       options.live);
  }
  return {};
}

Result<void> run_gap(const GapOptions& options, const Invocation& invocation) {
  if (Result<void> right = check_options(options); !right) {
    return right;
  }
  RecordedRun live;
  if (!options.live.empty()) {
    Result<RecordedRun> read = read_live(options.live);
    if (!read) {
      return propagate(read);
    }
    live = std::move(*read);
    if (Result<void> same = check_same_run(options.live, live, options.replay.run, invocation); !same) {
      return same;
    }
    if (live.memory_bytes != fmt::format("{}", options.replay.rig.memory.count)) {
      return wrong_usage("--live {}: was recorded with --memory {}, but this run has {}", options.live,
                         live.memory_bytes, options.replay.rig.memory.count);
    }
  }
  Result<ExplainedRun> run =
      options.drive.device.empty()
          ? explain_replay(options.replay, invocation)
          : explain_simulation({options.replay.run, options.drive, options.replay.ranges.value_or(1)},
                               invocation);
  if (!run) {
    return propagate(run);
  }
  if (!options.live.empty()) {
    run->evidence.achieved_s = live.wall_s / double(live.tokens);
    run->evidence.live_stall_s = live.stall_s / double(live.tokens);
    run->report.live_s_per_token = run->evidence.achieved_s;
    if (live.is_disturbed) {
      run->report.warnings.push_back(fmt::format(
          "--live {}: the machine's host held its processors back during that run, which no replay explains; "
          "record it again",
          options.live));
    }
  }
  run->report.gap = explain(run->evidence);
  return print_report(run->report, options.replay.run.json);
}

}  // namespace

void add_gap_command(Command app, Invocation& invocation) {
  auto options = std::make_shared<GapOptions>();
  Command command =
      app.subcommand("gap", "Explain the gap between the drive's bandwidth and the achieved tok/s");
  command.footer(
      "Examples:\n"
      "  spillway gap trace.bin --backend uring --cache 4GB --compute recorded\n"
      "  spillway gap trace.bin --backend mmap --cache 4GB\n"
      "  spillway gap trace.bin --device nvme.json --cache 4GB --compute 1ms\n"
      "  spillway gap trace.bin --live record.json --store model.gguf --cache 4GB --compute recorded");
  add_replay_options(command, options->replay);
  command
      .text("--device", options->drive.device,
            "Simulate this drive instead: a device model, or a profile that calibrate wrote")
      .type_name("DEVICE");
  add_drive_options(command, options->drive);
  command
      .text("--live", options->live,
            "Explain the run of `record` that wrote the trace and, with --json, this report")
      .type_name("REPORT");
  command.runs(invocation, [options, &invocation] { return run_gap(*options, invocation); });
}

}  // namespace spillway
