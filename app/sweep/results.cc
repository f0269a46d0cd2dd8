#include "app/sweep/results.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "app/cli/json_file.h"
#include "app/report/host.h"
#include "app/report/report.h"
#include "core/json.h"
#include "core/parse_json.h"
#include "host/file.h"

namespace spillway {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPointSchema = "spillway.point/1";

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

Json json_of(const PointOf& point) {
  Json json = Json::object();
  for (const auto& [axis, value] : point) {
    json[axis] = Json::parse(value, nullptr, false);
  }
  return json;
}

Json json_of(const OptionWords& options) {
  Json json = Json::object();
  for (const auto& [name, words] : options) {
    json[name] = words.empty() ? Json(true) : words.size() == 1 ? Json(words.front()) : Json(words);
  }
  return json;
}

// Returns the last line that is not blank, without the prefix "spillway: ".
std::string last_line(const std::string& text) {
  const size_t end = text.find_last_not_of("\n\r ");
  if (end == std::string::npos) {
    return {};
  }
  const size_t line_break = text.find_last_of("\n\r", end);
  const size_t start = line_break == std::string::npos ? 0 : line_break + 1;
  std::string line = text.substr(start, end - start + 1);
  const std::string own = "spillway: ";
  return line.starts_with(own) ? line.substr(own.size()) : line;
}

// Returns the reason why there is no report to keep, or an empty text if there is one.
std::string failure_of(const ChildRun& child, bool has_report) {
  if (child.timed_out) {
    return fmt::format("the run exceeded its time limit and was ended after {:.1f} s", child.wall_s);
  }
  if (child.status > 128) {
    return fmt::format("the run was ended by signal {}", child.status - 128);
  }
  if (child.status != 0) {
    const std::string said = last_line(child.complaint);
    return said.empty() ? fmt::format("the run ended with status {}", child.status) : said;
  }
  return has_report ? "" : "the run wrote no report";
}

// Returns true if the run was not available on its machine. The exit status decides, since old results have
// that status too, but not the word "unavailable".
bool is_unavailable(const Json& exit_status) {
  return exit_status == int(ErrorKind::unavailable);
}

Result<PointResult> read_result(const std::string& path) {
  const Result<Json> json = read_json(path, kMostResultBytes);
  if (!json) {
    return Unexpected(json.error());
  }
  Result<PointResult> result = point_result_of(*json);
  return result ? result : failed("{}: {}", path, result.error().message);
}

Result<void> make_directory(const std::string& path) {
  std::error_code problem;
  fs::create_directories(path, problem);
  return problem ? failed("{}: the folder cannot be made: {}", path, problem.message()) : Result<void>();
}

// Returns the names of the results in a folder, sorted.
Result<std::vector<std::string>> result_keys(const std::string& directory) {
  std::vector<std::string> keys;
  std::error_code problem;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory + "/points", problem)) {
    if (entry.path().extension() == ".json") {
      keys.push_back(entry.path().stem().string());
    }
  }
  if (problem) {
    return failed("{}/points: cannot be read: {}", directory, problem.message());
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

}  // namespace

std::string ResultFolder::path_of(const std::string& key) const {
  return directory_ + "/points/" + key + ".json";
}

Result<ResultFolder> ResultFolder::open(const std::string& directory, const Experiment& experiment,
                                        const std::vector<PlannedRun>& runs) {
  if (Result<void> made = make_directory(directory + "/points"); !made) {
    return propagate(made);
  }
  std::set<std::string> known;
  for (const PlannedRun& run : runs) {
    known.insert(run.key);
  }
  Result<std::vector<std::string>> keys = result_keys(directory);
  if (!keys) {
    return propagate(keys);
  }
  const auto others =
      std::count_if(keys->begin(), keys->end(), [&](const std::string& key) { return !known.contains(key); });
  if (others > 0) {
    return wrong_usage(
        "-o {}: the folder holds {} results that do not belong to {}, or that are older than a change of it; "
        "name another folder",
        directory, others, experiment.path);
  }
  Json document = Json::parse(experiment.document, nullptr, false);
  document["file"] = fs::absolute(experiment.path).lexically_normal().string();
  if (Result<void> written = write_json(document, directory + "/experiment.json"); !written) {
    return propagate(written);
  }
  return ResultFolder(directory);
}

std::optional<PointResult> ResultFolder::find(const std::string& key) const {
  std::error_code ignored;
  if (!fs::exists(path_of(key), ignored)) {
    return std::nullopt;
  }
  Result<PointResult> result = read_result(path_of(key));
  return result ? std::optional(std::move(*result)) : std::nullopt;
}

Result<PointResult> ResultFolder::keep(const PlannedRun& run, const std::vector<std::string>& words,
                                       const ChildRun& child, Shard shard) const {
  const Json report = parse_json(child.report, {.most_bytes = kMostResultBytes}).value_or(Json());
  const std::string error = failure_of(child, report.is_object());
  std::vector<std::string> command = {"spillway"};
  command.insert(command.end(), words.begin(), words.end());
  Json json = {{"schema", kPointSchema},
               {"point", json_of(run.point)},
               {"repetition", run.repetition},
               {"status", error.empty()                  ? "done"
                          : is_unavailable(child.status) ? "unavailable"
                                                         : "failed"},
               {"error", error.empty() ? Json() : Json(error)},
               {"exit_status", child.status},
               {"command", command},
               {"options", json_of(run.command.options)},
               {"date", utc_date()},
               {"host", host_name()},
               {"shard", fmt::format("{}/{}", shard.index, shard.count)},
               {"wall_s", child.wall_s},
               {"result", error.empty() ? report : Json()}};
  if (!child.complaint.empty()) {
    json["stderr"] = child.complaint;
  }
  if (Result<void> written = write_json(json, path_of(run.key)); !written) {
    return propagate(written);
  }
  return point_result_of(json);
}

void read_origin(JsonKeys& report, PointResult& result) {
  if (report.has("run")) {
    JsonKeys run = report.child("run");
    result.commit = run.text("commit", "");
    result.trace = run.has("identity") ? run.child("identity").text("trace", "") : "";
  }
}

Result<PointResult> run_result_of(const Json& json) {
  JsonKeys keys(json);
  PointResult result;
  const Json point = json.value("point", Json());
  if (!point.is_object()) {
    keys.wanted("point", "an object");
  }
  for (const auto& [axis, value] : point.items()) {
    result.point.emplace_back(axis, value.dump());
  }
  result.repetition = keys.count("repetition");
  result.done = true;
  result.figures = figures_of(json.value("result", Json()));
  if (keys.has("result")) {
    JsonKeys report = keys.child("result");
    read_origin(report, result);
  }
  if (keys.problem()) {
    return Unexpected(*keys.problem());
  }
  return result;
}

bool holds_runs(const Json& document) {
  return document.is_object() && document.value("schema", Json()) == "spillway.runs/1";
}

Result<std::vector<PointResult>> read_runs(const Json& document) {
  JsonKeys keys(document);
  std::vector<PointResult> results;
  for (const Json& run : keys.list("runs")) {
    Result<PointResult> result =
        run.is_object() ? run_result_of(run) : failed("'runs' must be a list of objects");
    if (!result) {
      return propagate(result);
    }
    results.push_back(std::move(*result));
  }
  if (keys.problem()) {
    return Unexpected(*keys.problem());
  }
  return results.empty() ? failed("'runs' holds no run; write the file with --json")
                         : Result<std::vector<PointResult>>(std::move(results));
}

Result<PointResult> point_result_of(const Json& json) {
  JsonKeys keys(json);
  if (keys.text("schema", "") != kPointSchema) {
    return failed("not a JSON object of schema {}", kPointSchema);
  }
  Result<PointResult> result = run_result_of(json);
  if (!result) {
    return result;
  }
  result->done = keys.text("status", "") == "done";
  result->unavailable = !result->done && is_unavailable(json.value("exit_status", Json()));
  result->error = keys.text("error", "");
  result->wall_s = keys.real("wall_s", 0);
  result->host = keys.text("host", "");
  return keys.problem() ? Unexpected(*keys.problem()) : result;
}

std::optional<Figure> find_figure(const PointResult& result, const std::string& name) {
  const auto found = std::find_if(result.figures.begin(), result.figures.end(),
                                  [&](const Figure& figure) { return figure.name == name; });
  return found == result.figures.end() ? std::nullopt : std::optional(*found);
}

bool is_result_folder(const std::string& directory) {
  std::error_code ignored;
  return fs::is_directory(directory + "/points", ignored);
}

Result<std::vector<PointResult>> read_results(const std::string& directory) {
  Result<std::vector<std::string>> keys = result_keys(directory);
  if (!keys) {
    return propagate(keys);
  }
  std::vector<PointResult> results;
  for (const std::string& key : *keys) {
    Result<PointResult> result = read_result(directory + "/points/" + key + ".json");
    if (!result) {
      return propagate(result);
    }
    results.push_back(std::move(*result));
  }
  return results;
}

std::string describe_missing(const std::vector<PointResult>& results) {
  const auto unavailable = std::count_if(results.begin(), results.end(),
                                         [](const PointResult& result) { return result.unavailable; });
  const auto failed = std::count_if(results.begin(), results.end(), [](const PointResult& result) {
    return !result.done && !result.unavailable;
  });
  std::string text = failed > 0 ? fmt::format("{} of {} runs failed", failed, results.size()) : "";
  if (unavailable > 0) {
    text += text.empty() ? fmt::format("{} of {} runs were", unavailable, results.size())
                         : fmt::format(", {} were", unavailable);
    text += " not available here";
  }
  return text;
}

std::string plain_label(const std::string& json) {
  const Json value = Json::parse(json, nullptr, false);
  return value.is_string() ? value.get<std::string>() : json;
}

std::string describe(const PointOf& point) {
  std::string text;
  for (const auto& [axis, value] : point) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ", ", axis, plain_label(value));
  }
  return text.empty() ? "the only point" : text;
}

}  // namespace spillway
