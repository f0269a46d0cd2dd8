#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "app/cli/json_file.h"
#include "app/cli/json_keys.h"
#include "app/sweep/compare.h"
#include "app/sweep/results.h"
#include "core/json.h"
#include "host/file.h"

// Loads the files and folders that `compare` accepts.
namespace spillway {
namespace {

namespace fs = std::filesystem;

struct LoadedReport {
  PointResult result;
  std::string config;  // equal in two reports that are repetitions of each other
};

Result<LoadedReport> load_report(const std::string& path) {
  const Result<Json> json = read_json(path, kMostResultBytes);
  if (!json) {
    return Unexpected(json.error());
  }
  LoadedReport loaded;
  loaded.result.figures = figures_of(*json);
  if (loaded.result.figures.empty()) {
    return failed(
        "{}: has no figures to compare; give a spillway.report/1, spillway.curve/1 or spillway.plan/1", path);
  }
  loaded.result.done = true;
  JsonKeys keys(*json);
  read_origin(keys, loaded.result);
  if (keys.problem()) {
    return failed("{}: {}", path, keys.problem()->message);
  }
  Json config = json->value("config", Json::object());
  if (!config.is_object()) {
    return failed("{}: 'config' must be an object of options", path);
  }
  for (const char* key : {"run", "trace"}) {
    const Json part = json->value(key, Json());
    config[key] =
        part.is_object() ? part.value(key == std::string("run") ? "command" : "path", Json()) : Json();
  }
  loaded.config = config.dump(-1, ' ', false, Json::error_handler_t::replace);
  return loaded;
}

Result<std::vector<std::string>> json_files_in(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code problem;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, problem)) {
    if (is_result_folder(entry.path())) {
      return wrong_usage("{}: the folder holds several experiments; name the folder of one, such as {}",
                         directory, entry.path().string());
    }
    if (entry.path().extension() == ".json") {
      files.push_back(entry.path());
    }
  }
  if (problem) {
    return failed("{}: cannot be read: {}", directory, problem.message());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Loads reports as repetitions of one run. Reports of another configuration in the same folder are refused,
// since the user must have mixed them up.
Result<void> load_reports(const std::vector<std::string>& files, ComparedSide& side) {
  std::string config;
  for (const std::string& file : files) {
    Result<LoadedReport> loaded = load_report(file);
    if (!loaded) {
      return propagate(loaded);
    }
    if (!config.empty() && loaded->config != config) {
      return wrong_usage(
          "{}: has another configuration than {}; give the folder of a sweep, or of repetitions", file,
          files.front());
    }
    config = loaded->config;
    std::vector<PointResult>& runs = side.points[{}];
    loaded->result.repetition = uint32_t(runs.size() + 1);
    runs.push_back(std::move(loaded->result));
  }
  return {};
}

using Selection = std::vector<std::pair<std::string, std::string>>;

Result<Selection> parse_selection(const std::vector<std::string>& parts) {
  Selection selection;
  for (const std::string& part : parts) {
    const size_t equals = part.find('=');
    if (equals == std::string::npos || equals == 0) {
      return wrong_usage("'{}': must be AXIS=VALUE, to name a part of a sweep", part);
    }
    selection.emplace_back(part.substr(0, equals), part.substr(equals + 1));
  }
  return selection;
}

// Returns true if the point is part of the selection. The selected axes are then removed from the point.
bool select(const Selection& selection, PointOf& point) {
  for (const auto& [axis, value] : selection) {
    const auto is_it = [&, name = axis](const auto& part) { return part.first == name; };
    const auto found = std::find_if(point.begin(), point.end(), is_it);
    if (found == point.end() || plain_label(found->second) != value) {
      return false;
    }
    point.erase(found);
  }
  return true;
}

// Lists every AXIS=VALUE of the results, for a user whose selection matched none.
std::string points_in(const std::vector<PointResult>& results) {
  std::vector<std::string> texts;
  for (const PointResult& result : results) {
    for (const auto& [axis, value] : result.point) {
      const std::string text = fmt::format("{}={}", axis, plain_label(value));
      if (std::find(texts.begin(), texts.end(), text) == texts.end()) {
        texts.push_back(text);
      }
    }
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

// Sorts results into the points of the side. `path` is the file or folder that they come from.
Result<void> sort_into_points(const std::string& path, const std::vector<PointResult>& results,
                              const Selection& selection, ComparedSide& side) {
  for (const PointResult& result : results) {
    PointOf point = result.point;
    if (select(selection, point)) {
      side.points[point].push_back(result);
    }
  }
  if (side.points.empty()) {
    return wrong_usage("{}: has no result of that part; available parts: {}", path, points_in(results));
  }
  for (auto& [point, runs] : side.points) {
    std::sort(runs.begin(), runs.end(), [](const PointResult& one, const PointResult& other) {
      return one.repetition < other.repetition;
    });
  }
  std::error_code ignored;
  side.origin = fs::canonical(path, ignored).string();
  return {};
}

Result<void> load_sweep(const std::string& directory, const Selection& selection, ComparedSide& side) {
  Result<std::vector<PointResult>> results = read_results(directory);
  if (!results) {
    return propagate(results);
  }
  if (Result<void> sorted = sort_into_points(directory, *results, selection, side); !sorted) {
    return sorted;
  }
  const Result<Json> experiment = read_json(directory + "/experiment.json", kMostDocumentBytes);
  side.interleaved = experiment && JsonKeys(*experiment).text("order", "") != "sequential";
  return {};
}

// Loads a file that `replay --runs --json` wrote. Its runs are interleaved.
Result<void> load_runs(const std::string& path, const Json& document, const Selection& selection,
                       ComparedSide& side) {
  Result<std::vector<PointResult>> results = read_runs(document);
  if (!results) {
    return failed("{}: {}", path, results.error().message);
  }
  side.interleaved = true;
  return sort_into_points(path, *results, selection, side);
}

// Loads a file: one with several runs, or a single report.
Result<void> load_file(const std::string& path, const Selection& selection, ComparedSide& side) {
  const Result<Json> json = read_json(path, kMostResultBytes);
  if (!json) {
    return Unexpected(json.error());
  }
  if (holds_runs(*json)) {
    return load_runs(path, *json, selection, side);
  }
  return selection.empty() ? load_reports({path}, side)
                           : wrong_usage("{}: is not the folder of a sweep, so it has no part {}={}", path,
                                         selection.front().first, selection.front().second);
}

}  // namespace

Result<ComparedSide> load_side(const std::string& path, const std::vector<std::string>& parts) {
  ComparedSide side;
  side.name = path;
  for (const std::string& part : parts) {
    side.name += fmt::format("{}{}", &part == &parts.front() ? " with " : ", ", part);
  }
  Result<Selection> selection = parse_selection(parts);
  if (!selection) {
    return propagate(selection);
  }
  const bool is_sweep = is_result_folder(path);
  Result<void> loaded;
  if (is_sweep) {
    loaded = load_sweep(path, *selection, side);
  } else if (std::error_code ignored; !fs::is_directory(path, ignored)) {
    loaded = load_file(path, *selection, side);
  } else if (!selection->empty()) {
    loaded = wrong_usage("{}: is not the folder of a sweep, so it has no part {}", path, parts.front());
  } else {
    Result<std::vector<std::string>> files = json_files_in(path);
    loaded = !files           ? propagate(files)
             : files->empty() ? failed("{}: the folder has no reports", path)
                              : load_reports(*files, side);
  }
  return loaded ? Result<ComparedSide>(std::move(side)) : propagate(loaded);
}

}  // namespace spillway
