#include "app/page/results.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "app/page/read_run.h"
#include "app/run/device_profile.h"
#include "core/json.h"
#include "host/file.h"
#include "host/interrupt.h"

namespace spillway::page {
namespace {

namespace fs = std::filesystem;

// What one file gives to `results`. Whatever is wrong with it, at() and get() throw it, or it is returned.
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
    Result<std::string> text = read_whole(path);
    if (!text) {
      results_.left_out.push_back(text.error().message);
      return;
    }
    try {
      take(path, Json::parse(*text));
    } catch (const Json::exception& problem) {
      results_.left_out.push_back(fmt::format("{}: {}", path, problem.what()));
    }
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
    const std::string schema = json.is_object() ? json.value("schema", std::string()) : std::string();
    if (schema == "spillway.report/1") {
      results_.runs.push_back(run_of(json, path));
    } else if (schema == "spillway.curve/1") {
      results_.curves.push_back(curve_of(json, path));
    } else if (schema == "spillway.point/1") {
      take_point(json, path);
    } else if (schema == "spillway.experiment/1") {
      take_experiment(json, sweeps_[fs::path(path).parent_path().string()], path);
    } else if (schema == "spillway.plan/1") {
      results_.plans.push_back(plan_of(json, path));
    } else if (schema == "spillway.device/1") {
      take_device(path);
    } else if (schema != "spillway.made/1") {  // those say only that a sweep's inputs are made
      results_.left_out.push_back(
          schema.empty()
              ? fmt::format("{}: has no schema of ours", path)
              : fmt::format("{}: is of schema {}, which this version does not show", path, schema));
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

  void take_point(const Json& json, const std::string& path) {
    Result<SweepPoint> point = point_of(json, path);
    if (point) {
      sweep_of(path).points.push_back(std::move(*point));
    } else {
      results_.left_out.push_back(point.error().message);
    }
  }

  // A sweep's points lie in a folder of their own beside the experiment.
  Sweep& sweep_of(const std::string& path) {
    fs::path folder = fs::path(path).parent_path();
    if (folder.filename() == "points") {
      folder = folder.parent_path();
    }
    Sweep& sweep = sweeps_[folder.string()];
    sweep.folder = folder.string();
    return sweep;
  }

  static void take_experiment(const Json& json, Sweep& sweep, const std::string& path) {
    sweep.folder = fs::path(path).parent_path().string();
    sweep.question = json.at("question").get<std::string>();
    sweep.about = json.value("about", std::string());
    take_axes(json.value("sweep", Json::object()), sweep);
    const Json plot = json.value("plot", Json::object());
    const auto text = [&](const char* key) {
      return plot.contains(key) && plot[key].is_string() ? plot[key].get<std::string>() : std::string();
    };
    sweep.plot_kind = text("kind");
    sweep.plot_x = text("x");
    const auto texts = [&](const char* key) {
      const Json value = plot.value(key, Json::array());
      return value.is_array() ? value.get<std::vector<std::string>>()
                              : std::vector<std::string>{value.get<std::string>()};
    };
    sweep.plot_y = texts("y");
    sweep.plot_series = texts("series");
  }

  // A value of an axis is itself, or an object with a label.
  static void take_axes(const Json& axes, Sweep& sweep) {
    for (const auto& [name, values] : axes.items()) {
      std::vector<std::string> texts;
      for (const Json& value : values) {
        const Json& shown = value.is_object() ? value.at("label") : value;
        texts.push_back(shown.is_string() ? shown.get<std::string>() : shown.dump());
      }
      sweep.axes.push_back({name, std::move(texts)});
    }
  }

  Results results_;
  std::map<std::string, Sweep> sweeps_;  // by folder
};

// Every JSON file at or below `path`, sorted by name.
Result<std::vector<std::string>> json_files(const std::string& path) {
  std::error_code problem;
  if (!fs::is_directory(path, problem)) {
    return fs::exists(path, problem)
               ? Result<std::vector<std::string>>({path})
               : failed("{}: there is no such file or folder; give what sweep -o or --json wrote", path);
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
        return failed("interrupted before {} was read; nothing was written", file);
      }
      reader.read(file);
    }
  }
  return reader.finish();
}

}  // namespace spillway::page
