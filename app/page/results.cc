#include "app/page/results.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "app/cli/json_file.h"
#include "app/cli/json_keys.h"
#include "app/page/read_run.h"
#include "app/run/device_profile.h"
#include "core/json.h"
#include "host/file.h"
#include "host/interrupt.h"

namespace spillway::page {
namespace {

namespace fs = std::filesystem;

// Collects the contents of files. A file that cannot be used is left out, and the reason is listed.
class Reader {
 public:
  void read(const std::string& path) {
    if (const std::optional<Result<TimelineResult>> timeline = read_timeline(path)) {
      if (*timeline) {
        results_.timelines.push_back(**timeline);
      } else {
        results_.left_out.push_back(timeline->error().message);
      }
      return;
    }
    const Result<Json> json = read_json(path, kMostResultBytes);
    if (!json) {
      results_.left_out.push_back(json.error().message);
      return;
    }
    take(path, *json);
  }

  Results finish() {
    for (auto& [folder, sweep] : sweeps_) {
      if (!sweep.points.empty()) {
        results_.sweeps.push_back(std::move(sweep));
      }
    }
    return std::move(results_);
  }

 private:
  void take(const std::string& path, const Json& json) {
    const std::string schema = JsonKeys(json).text("schema", "");
    if (schema == "spillway.report/1") {
      keep(run_of(json, path), results_.runs);
    } else if (schema == "spillway.runs/1") {
      keep(runs_of(json, path), results_.sweeps);
    } else if (schema == "spillway.curve/1") {
      keep(curve_of(json, path), results_.curves);
    } else if (schema == "spillway.point/1") {
      if (Result<SweepPoint> point = point_of(json, path)) {
        sweep_of(path).points.push_back(std::move(*point));
      } else {
        results_.left_out.push_back(point.error().message);
      }
    } else if (schema == "spillway.experiment/1") {
      take_experiment(json, path);
    } else if (schema == "spillway.plan/1") {
      keep(plan_of(json, path), results_.plans);
    } else if (schema == "spillway.device/1") {
      take_device(path);
    } else if (schema != "spillway.made/1") {  // such a file only records that a sweep's inputs are made
      results_.left_out.push_back(
          schema.empty()
              ? fmt::format("{}: not a result of Spillway; the file has no known schema", path)
              : fmt::format("{}: has the schema {}, which this version does not show", path, schema));
    }
  }

  void take_device(const std::string& path) {
    Result<DeviceProfile> profile = load_device_profile(path);
    if (profile) {
      results_.devices.emplace_back(path, std::move(*profile));
    } else {
      results_.left_out.push_back(profile.error().message);
    }
  }

  template <class T>
  void keep(Result<T> read, std::vector<T>& list) {
    if (read) {
      list.push_back(std::move(*read));
    } else {
      results_.left_out.push_back(read.error().message);
    }
  }

  // Returns the sweep of a point's file. The points of a sweep lie in a folder of their own beside
  // the experiment.
  Sweep& sweep_of(const std::string& path) {
    fs::path folder = fs::path(path).parent_path();
    if (folder.filename() == "points") {
      folder = folder.parent_path();
    }
    Sweep& sweep = sweeps_[folder.string()];
    sweep.folder = folder.string();
    return sweep;
  }

  void take_experiment(const Json& json, const std::string& path) {
    Sweep& sweep = sweeps_[fs::path(path).parent_path().string()];
    sweep.folder = fs::path(path).parent_path().string();
    JsonKeys keys(json);
    sweep.question = keys.text("question");
    sweep.about = keys.text("about", "");
    take_axes(json.value("sweep", Json::object()), sweep);
    if (keys.has("plot")) {
      JsonKeys plot = keys.child("plot");
      sweep.plot_kind = plot.text("kind", "");
      sweep.plot_x = plot.text("x", "");
      sweep.plot_answer = plot.text("answer", "");
      sweep.plot_y = plot.text_or_texts("y");
      sweep.plot_series = plot.text_or_texts("series");
    }
    if (keys.problem()) {
      results_.left_out.push_back(fmt::format("{}: {}", path, keys.problem()->message));
    }
  }

  // Reads the axes. A value of an axis is a plain value, or an object with a label.
  static void take_axes(const Json& axes, Sweep& sweep) {
    for (const auto& [name, values] : axes.items()) {
      std::vector<std::string> texts;
      for (const Json& value : values) {
        const Json shown = value.is_object() ? value.value("label", Json()) : value;
        texts.push_back(shown.is_string() ? shown.get<std::string>() : shown.dump());
      }
      sweep.axes.push_back({name, std::move(texts)});
    }
  }

  Results results_;
  std::map<std::string, Sweep> sweeps_;  // by folder
};

// Returns every JSON file at or below `path`, sorted by name.
Result<std::vector<std::string>> json_files(const std::string& path) {
  std::error_code problem;
  if (!fs::is_directory(path, problem)) {
    return fs::exists(path, problem) ? Result<std::vector<std::string>>({path})
                                     : failed(
                                           "{}: there is no such file or folder; give a file or "
                                           "folder that sweep -o or --json wrote",
                                           path);
  }
  std::vector<std::string> files;
  constexpr auto kOptions = fs::directory_options::skip_permission_denied;
  fs::recursive_directory_iterator entries(path, kOptions, problem);
  for (; !problem && entries != fs::recursive_directory_iterator(); entries.increment(problem)) {
    std::error_code ignored;
    if (entries->path().extension() == ".json" && entries->is_regular_file(ignored)) {
      files.push_back(entries->path().string());
    }
  }
  if (problem) {
    return failed("{}: cannot be read: {}", path, problem.message());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

bool Results::empty() const {
  return sweeps.empty() && runs.empty() && curves.empty() && devices.empty() && plans.empty() &&
         timelines.empty();
}

Result<Results> read_files(const std::vector<std::string>& paths) {
  Reader reader;
  for (const std::string& path : paths) {
    Result<std::vector<std::string>> files = json_files(path);
    if (!files) {
      return propagate(files);
    }
    for (const std::string& file : *files) {
      if (interrupted()) {
        return failed("interrupted before {} was read; no page was written", file);
      }
      reader.read(file);
    }
  }
  return reader.finish();
}

}  // namespace spillway::page
