#include "app/page/read_run.h"

#include "app/cli/shell_line.h"
#include "core/json.h"

namespace spillway::page {
namespace {

std::optional<double> optional_number(const Json& json, const char* key) {
  const Json& value = json.at(key);
  return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

Origin origin_of(const Json& run, const Json& config, const std::string& path) {
  Origin origin;
  origin.path = path;
  const Json& host = run.at("host");
  const uint32_t cores = host.at("cores").get<uint32_t>();
  origin.machine = fmt::format("{}, {} core{}, {} of RAM, {}", host.at("cpu").get<std::string>(), cores,
                               cores == 1 ? "" : "s", format_bytes(host.at("memory_bytes").get<uint64_t>()),
                               host.at("kernel").get<std::string>());
  const Json& store = run.at("store");
  origin.storage = store.at("device").get<std::string>();
  if (origin.storage.empty() && config.contains("device")) {
    origin.storage = "modelled: " + config.at("device").get<std::string>();
  }
  origin.version =
      fmt::format("{}, commit {}", run.at("version").get<std::string>(), run.at("commit").get<std::string>());
  origin.date = run.at("date").get<std::string>();
  origin.command = run.at("command_line").get<std::string>();
  return origin;
}

std::optional<Gap> gap_of(const Json& explained) {
  if (explained.is_null()) {
    return std::nullopt;
  }
  Gap gap;
  gap.seed_s_per_token = explained.at("seed_s_per_token").get<double>();
  gap.achieved_s_per_token = explained.at("achieved_s_per_token").get<double>();
  for (const Json& bar : explained.at("bars")) {
    const std::string how = bar.at("how").get<std::string>();
    gap.bars.push_back({bar.at("name").get<std::string>(), bar.at("s_per_token").get<double>(),
                        how == "counted"    ? GapBar::How::counted
                        : how == "measured" ? GapBar::How::measured
                                            : GapBar::How::simulated,
                        bar.at("explanation").get<std::string>()});
  }
  return gap;
}

void take_measured(const Json& measured, RunResult& run) {
  run.tokens = measured.at("tokens").get<uint64_t>();
  run.hit_ratio = measured.at("hit_ratio").get<double>();
  const Json& latency = measured.at("latency");
  run.p50 = Nanoseconds(latency.at("p50_ns").get<int64_t>());
  run.p95 = Nanoseconds(latency.at("p95_ns").get<int64_t>());
  run.p99 = Nanoseconds(latency.at("p99_ns").get<int64_t>());
  run.slowest = Nanoseconds(latency.at("max_ns").get<int64_t>());
  if (run.tokens == 0) {
    return;
  }
  const auto per_token = [&](const char* key) { return measured.at(key).get<double>() / double(run.tokens); };
  run.s_per_token = per_token("wall_ns") / 1e9;
  run.stall_s_per_token = per_token("stall_ns") / 1e9;
  run.compute_s_per_token = (per_token("attention_ns") + per_token("experts_ns")) / 1e9;
  run.missed_bytes_per_token = per_token("missed_bytes");
}

}  // namespace

std::string RunResult::config_value(const std::string& key) const {
  for (const auto& [name, value] : config) {
    if (name == key) {
      return value;
    }
  }
  return "";
}

RunResult run_of(const Json& report, const std::string& path) {
  RunResult run;
  const Json& config = report.at("config");
  run.origin = origin_of(report.at("run"), config, path);
  run.kind = report.at("run").at("command").get<std::string>();
  run.interrupted = report.at("run").at("interrupted").get<bool>();
  run.model = report.at("trace").at("model").get<std::string>();
  for (const auto& [key, value] : config.items()) {
    run.config.emplace_back(key, value.get<std::string>());
  }
  run.traits = traits_of_report(report);
  run.simulated = report.at("clock").get<std::string>() == "virtual";
  take_measured(report.at("phases").at("measured"), run);
  const Json& gap = report.at("gap");
  run.tok_per_s = gap.at("achieved_tok_per_s").get<double>();
  run.drive_bytes_per_s = optional_number(gap, "drive_bytes_per_s");
  run.seed_tok_per_s = optional_number(gap, "seed_ceiling_tok_per_s");
  run.policy_tok_per_s = optional_number(gap, "policy_ceiling_tok_per_s");
  run.physical_tok_per_s = optional_number(gap, "physical_ceiling_tok_per_s");
  run.gap = gap_of(gap.at("explained"));
  const Json& io = report.at("io");
  run.from_ram_share = optional_number(io, "from_ram_share");
  if (io.contains("stolen_share")) {  // others are of before it was told
    run.stolen_share = optional_number(io, "stolen_share");
  }
  run.warnings = report.at("warnings").get<std::vector<std::string>>();
  return run;
}

CurveResult curve_of(const Json& curve, const std::string& path) {
  CurveResult result;
  result.origin.path = path;
  result.trace = curve.at("trace").at("path").get<std::string>();
  result.model = curve.at("trace").at("model").get<std::string>();
  result.token_cycle_bytes = curve.at("token_cycle_bytes").get<uint64_t>();
  result.interrupted = curve.value("interrupted", false);
  for (const Json& point : curve.at("points")) {
    result.points.push_back({point.at("policy").get<std::string>(), point.at("cache_bytes").get<uint64_t>(),
                             point.at("hit_ratio_decode").get<double>()});
  }
  if (const Json knee = curve.value("knee", Json()); !knee.is_null()) {
    result.knee =
        CurvePoint{"lru", knee.at("cache_bytes").get<uint64_t>(), knee.at("hit_ratio_decode").get<double>()};
  }
  return result;
}

PlanResult plan_of(const Json& plan, const std::string& path) {
  PlanResult result;
  result.path = path;
  const Json& question = plan.at("question");
  result.model = question.at("model").get<std::string>();
  result.bits = question.at("bits").get<std::string>();
  result.machine = question.at("machine").get<std::string>();
  result.drive = question.at("drive").get<std::string>();
  const Json& memory = plan.at("plan").at("memory");
  result.memory_bytes = memory.at("total_bytes").get<uint64_t>();
  result.needed_bytes = memory.at("needed_bytes").get<uint64_t>();
  result.fits = memory.at("fits").get<bool>();
  if (const Json& speed = plan.at("plan").at("speed"); !speed.is_null()) {
    result.tok_per_s = speed.at("tok_per_s").get<double>();
    result.low = speed.at("tok_per_s_low").get<double>();
    result.high = speed.at("tok_per_s_high").get<double>();
  }
  const Json& sweep = plan.at("sweep");
  result.memories = sweep.at("memory_bytes").get<std::vector<uint64_t>>();
  result.bandwidths = sweep.at("drive_bandwidth_bytes_per_s").get<std::vector<double>>();
  result.speeds = sweep.at("tok_per_s").get<std::vector<double>>();
  result.speeds.resize(result.memories.size() * result.bandwidths.size());
  result.memory_enough = sweep.at("memory_enough_bytes").get<uint64_t>();
  return result;
}

Result<SweepPoint> point_of(const Json& json, const std::string& path) {
  SweepPoint point;
  point.path = path;
  point.command = shell_line(json.at("command").get<std::vector<std::string>>());
  Result<PointResult> result = point_result_of(json);
  if (!result) {
    return failed("{}: {}", path, result.error().message);
  }
  point.result = std::move(*result);
  for (const auto& [axis, value] : point.result.point) {
    point.place.emplace_back(axis, plain_label(value));
  }
  const Json& report = json.at("result");
  if (report.is_object() && report.value("schema", std::string()) == "spillway.report/1") {
    point.run = run_of(report, path);
    point.run->origin.command = point.command;
  }
  return point;
}

}  // namespace spillway::page
