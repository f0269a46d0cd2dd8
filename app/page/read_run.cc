#include "app/page/read_run.h"

#include <algorithm>

#include "app/cli/json_keys.h"
#include "app/cli/shell_line.h"
#include "app/report/figures.h"
#include "app/report/saturated.h"
#include "core/json.h"

namespace spillway::page {
namespace {

Origin origin_of(JsonKeys run, const std::string& path, const std::string& modelled_device) {
  Origin origin;
  origin.path = path;
  JsonKeys host = run.child("host");
  const uint32_t cores = host.count("cores");
  origin.machine = fmt::format("{}, {} core{}, {} of RAM, {}", host.text("cpu"), cores, cores == 1 ? "" : "s",
                               format_bytes(host.large_count("memory_bytes")), host.text("kernel"));
  origin.storage = run.child("store").text("device");
  if (origin.storage.empty() && !modelled_device.empty()) {
    origin.storage = "modelled: " + modelled_device;
  }
  origin.version = fmt::format("{}, commit {}", run.text("version"), run.text("commit"));
  origin.date = run.text("date");
  origin.command = run.text("command_line");
  return origin;
}

std::optional<Gap> gap_of(JsonKeys gap_keys) {
  if (!gap_keys.has("explained")) {
    return std::nullopt;
  }
  JsonKeys explained = gap_keys.child("explained");
  Gap gap;
  gap.seed_s_per_token = explained.real("seed_s_per_token");
  gap.achieved_s_per_token = explained.real("achieved_s_per_token");
  explained.each("bars", [&](JsonKeys& bar) {
    const std::string how = bar.text("how");
    gap.bars.push_back({bar.text("name"), bar.signed_real("s_per_token"),
                        how == "counted"    ? GapBar::How::counted
                        : how == "measured" ? GapBar::How::measured
                                            : GapBar::How::simulated,
                        bar.text("explanation")});
  });
  return gap;
}

// Copies those of a report's figures (app/report/figure_table.h) that a page shows.
void take_figures(const std::vector<Figure>& figures, RunResult& run) {
  const auto find = [&](std::string_view name) -> std::optional<double> {
    const auto found = std::find_if(figures.begin(), figures.end(),
                                    [&](const Figure& figure) { return figure.name == name; });
    return found == figures.end() ? std::nullopt : std::optional(found->value);
  };
  const auto time = [&](std::string_view name) {
    return Nanoseconds(saturated<int64_t>(find(name).value_or(0)));
  };
  run.tok_per_s = find("tok_per_s").value_or(0);
  run.hit_ratio = find("hit_ratio").value_or(0);
  run.p50 = time("p50_ns");
  run.p95 = time("p95_ns");
  run.p99 = time("p99_ns");
  run.slowest = time("max_ns");
  run.stall_s_per_token = find("stall_ns_per_token").value_or(0) / 1e9;
  run.missed_bytes_per_token = find("missed_bytes_per_token").value_or(0);
  run.drive_bytes_per_s = find("drive_bytes_per_s");
  run.seed_tok_per_s = find("seed_ceiling_tok_per_s");
  run.policy_tok_per_s = find("policy_ceiling_tok_per_s");
  run.physical_tok_per_s = find("physical_ceiling_tok_per_s");
  run.from_ram_share = find("from_ram_share");
  run.stolen_share = find("stolen_share");
}

// Reads the measured phase. The figures leave out null values, so this also checks that the phase has all
// values that a page needs.
void take_measured(JsonKeys measured, RunResult& run) {
  run.tokens = measured.large_count("tokens");
  measured.real("hit_ratio");
  JsonKeys latency = measured.child("latency");
  for (const char* key : {"p50_ns", "p95_ns", "p99_ns", "max_ns"}) {
    latency.large_count(key);
  }
  const auto per_token = [&](const char* key) {
    return measured.real(key) / double(std::max<uint64_t>(run.tokens, 1));
  };
  run.s_per_token = per_token("wall_ns") / 1e9;
  run.compute_s_per_token = (per_token("attention_ns") + per_token("experts_ns")) / 1e9;
}

template <class T>
Result<T> checked(T value, const JsonKeys& keys, const std::string& path) {
  return keys.problem() ? Result<T>(failed("{}: {}", path, keys.problem()->message))
                        : Result<T>(std::move(value));
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

Result<RunResult> run_of(const Json& report, const std::string& path) {
  JsonKeys keys(report);
  RunResult run;
  run.config = keys.texts_by_name("config");
  run.origin = origin_of(keys.child("run"), path, run.config_value("device"));
  run.kind = keys.child("run").text("command");
  run.interrupted = keys.child("run").flag("interrupted");
  run.model = keys.child("trace").text("model");
  run.traits = traits_of_report(report);
  run.simulated = keys.text("clock") == "virtual";
  take_measured(keys.child("phases").child("measured"), run);
  take_figures(figures_of(report), run);
  run.gap = gap_of(keys.child("gap"));
  run.warnings = keys.texts("warnings");
  return checked(std::move(run), keys, path);
}

Result<CurveResult> curve_of(const Json& curve, const std::string& path) {
  JsonKeys keys(curve);
  CurveResult result;
  result.origin.path = path;
  result.trace = keys.child("trace").text("path");
  result.model = keys.child("trace").text("model");
  result.token_cycle_bytes = keys.large_count("token_cycle_bytes");
  result.interrupted = keys.flag("interrupted", false);
  keys.each("points", [&](JsonKeys& point) {
    result.points.push_back(
        {point.text("policy"), point.large_count("cache_bytes"), point.real("hit_ratio_decode")});
  });
  if (keys.has("knee")) {
    JsonKeys knee = keys.child("knee");
    result.knee = CurvePoint{"lru", knee.large_count("cache_bytes"), knee.real("hit_ratio_decode")};
  }
  return checked(std::move(result), keys, path);
}

Result<PlanResult> plan_of(const Json& plan, const std::string& path) {
  JsonKeys keys(plan);
  PlanResult result;
  result.path = path;
  JsonKeys question = keys.child("question");
  result.model = question.text("model");
  result.bits = question.text("bits");
  result.machine = question.text("machine");
  result.drive = question.text("drive");
  JsonKeys answer = keys.child("plan");
  JsonKeys memory = answer.child("memory");
  result.memory_bytes = memory.large_count("total_bytes");
  result.needed_bytes = memory.large_count("needed_bytes");
  result.fits = memory.flag("fits");
  if (answer.has("speed")) {
    JsonKeys speed = answer.child("speed");
    result.tok_per_s = speed.real("tok_per_s");
    result.low = speed.real("tok_per_s_low");
    result.high = speed.real("tok_per_s_high");
  }
  JsonKeys sweep = keys.child("sweep");
  result.memories = sweep.large_counts("memory_bytes");
  result.bandwidths = sweep.reals("drive_bandwidth_bytes_per_s");
  result.speeds = sweep.reals("tok_per_s");
  result.speeds.resize(result.memories.size() * result.bandwidths.size());
  result.memory_enough = sweep.large_count("memory_enough_bytes");
  return checked(std::move(result), keys, path);
}

namespace {

// Reads one run of several. `result` is what the run has in common with those of other files.
Result<SweepPoint> point_from(PointResult result, const Json& json, const std::string& command,
                              const std::string& path) {
  SweepPoint point;
  point.path = path;
  point.command = command;
  point.result = std::move(result);
  for (const auto& [axis, value] : point.result.point) {
    point.place.emplace_back(axis, plain_label(value));
  }
  const Json report = json.value("result", Json());
  if (JsonKeys(report).text("schema", "") == "spillway.report/1") {
    Result<RunResult> run = run_of(report, path);
    if (!run) {
      return propagate(run);
    }
    point.run = std::move(*run);
    point.run->origin.command = command;
  }
  return point;
}

}  // namespace

Result<SweepPoint> point_of(const Json& json, const std::string& path) {
  JsonKeys keys(json);
  const std::string command = shell_line(keys.texts("command"));
  Result<PointResult> result = point_result_of(json);
  if (!result || keys.problem()) {
    return failed("{}: {}", path, result ? keys.problem()->message : result.error().message);
  }
  return point_from(std::move(*result), json, command, path);
}

Result<Sweep> runs_of(const Json& json, const std::string& path) {
  JsonKeys keys(json);
  Sweep sweep;
  sweep.folder = path;
  sweep.question = keys.text("command_line");
  keys.each("axes", [&](JsonKeys& axis) { sweep.axes.push_back({axis.text("name"), axis.texts("values")}); });
  Result<std::vector<PointResult>> results = read_runs(json);
  if (!results || keys.problem()) {
    return failed("{}: {}", path, results ? keys.problem()->message : results.error().message);
  }
  for (size_t i = 0; i < results->size(); ++i) {
    Result<SweepPoint> point = point_from(std::move((*results)[i]), json["runs"][i], sweep.question, path);
    if (!point) {
      return propagate(point);
    }
    sweep.points.push_back(std::move(*point));
  }
  return sweep;
}

}  // namespace spillway::page
