#include "app/sweep/summary.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "app/cli/printable.h"
#include "app/cli/progress.h"
#include "app/cli/text_table.h"
#include "app/sweep/results.h"
#include "core/json.h"

namespace spillway {
namespace {

std::vector<std::string> wanted_figures(const Experiment& experiment) {
  return experiment.figures.empty() ? usual_figures() : experiment.figures;
}

std::string say_time(double seconds) {
  if (seconds < 90) {
    return fmt::format("{:.0f} s", seconds);
  }
  return seconds < 5400 ? fmt::format("{:.0f} min", seconds / 60) : fmt::format("{:.1f} h", seconds / 3600);
}

// Describes the outcome of one run in a few words.
std::string outcome_of(const Experiment& experiment, const PointResult& result) {
  if (!result.done) {
    return fmt::format("{}: {}", result.unavailable ? "NOT AVAILABLE" : "FAILED", printable(result.error));
  }
  std::string text;
  for (const std::string& name : wanted_figures(experiment)) {
    if (const std::optional<Figure> figure = find_figure(result, name)) {
      text +=
          fmt::format("{}{} {}", text.empty() ? "" : ", ", name, format_figure(figure->value, figure->unit));
    }
  }
  return text.empty() ? "done" : text;
}

// Returns the index of a point when the axes are multiplied out.
size_t place_of(const Experiment& experiment, const PointOf& point) {
  size_t place = 0;
  for (size_t i = 0; i < experiment.axes.size() && i < point.size(); ++i) {
    const std::vector<AxisValue>& values = experiment.axes[i].values;
    const auto found = std::find_if(values.begin(), values.end(),
                                    [&](const AxisValue& value) { return value.json == point[i].second; });
    place = place * values.size() + size_t(found - values.begin());
  }
  return place;
}

// Returns a table cell with one figure over all repetitions of a point.
std::string cell_of(const std::vector<const PointResult*>& runs, const std::string& name) {
  std::vector<double> values;
  Unit unit{};
  for (const PointResult* run : runs) {
    if (const std::optional<Figure> figure = run->done ? find_figure(*run, name) : std::nullopt) {
      values.push_back(figure->value);
      unit = figure->unit;
    }
  }
  if (values.empty()) {
    return "-";
  }
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  const std::string middle = format_figure(median_of(values), unit);
  return *least == *most
             ? middle
             : fmt::format("{} ({} to {})", middle, format_figure(*least, unit), format_figure(*most, unit));
}

}  // namespace

SweepProgress::SweepProgress(const Experiment& experiment, size_t runs)
    : experiment_(experiment),
      runs_(runs),
      terminal_(can_redraw(STDERR_FILENO)),
      bar_(printable(std::filesystem::path(experiment.path).stem().string()), runs, Progress::Unit::steps) {
  say(printable(experiment.question));
}

void SweepProgress::say(const std::string& line) const {
  note("{}{}\n", terminal_ ? "\r\033[K" : "", line);
}

void SweepProgress::count(const PlannedRun&, const PointResult& result) {
  ++behind_;
  seconds_ += result.wall_s;
  bar_.at(behind_);
}

void SweepProgress::passed(const PlannedRun& run, const PointResult& result) {
  count(run, result);
}

void SweepProgress::ran(const PlannedRun& run, const PointResult& result) {
  count(run, result);
  if (terminal_ && result.done) {
    return;
  }
  const double left = seconds_ / double(behind_) * double(runs_ - behind_);
  const std::string which = experiment_.repetitions > 1 ? fmt::format(" #{}", run.repetition) : "";
  say(fmt::format("[{}/{}] {}{}: {} ({}; {} left)", behind_, runs_, printable(describe(run.point)), which,
                  outcome_of(experiment_, result), say_time(result.wall_s), say_time(left)));
}

namespace {

using Runs = std::vector<const PointResult*>;

// Returns the wanted figures that at least one result has.
std::vector<std::string> figures_in(const Experiment& experiment, const std::vector<PointResult>& results) {
  std::vector<std::string> names = wanted_figures(experiment);
  std::erase_if(names, [&](const std::string& name) {
    return std::none_of(results.begin(), results.end(),
                        [&](const PointResult& result) { return result.done && find_figure(result, name); });
  });
  return names;
}

// Returns the table row for all runs of one point.
std::vector<std::string> row_of(const Runs& runs, const std::vector<std::string>& figures) {
  std::vector<std::string> row;
  for (const auto& [axis, value] : runs.front()->point) {
    row.push_back(printable(plain_label(value)));
  }
  for (const std::string& name : figures) {
    row.push_back(cell_of(runs, name));
  }
  const auto bad = std::find_if(runs.begin(), runs.end(), [](const PointResult* run) { return !run->done; });
  row.push_back(bad == runs.end() ? ""
                                  : fmt::format("{}: {}", (*bad)->unavailable ? "not available" : "failed",
                                                printable((*bad)->error)));
  return row;
}

}  // namespace

void print_summary(const Experiment& experiment, const std::vector<PointResult>& results) {
  std::map<size_t, Runs> points;
  for (const PointResult& result : results) {
    points[place_of(experiment, result.point)].push_back(&result);
  }
  const std::vector<std::string> figures = figures_in(experiment, results);
  std::vector<std::string> names;
  for (const Axis& axis : experiment.axes) {
    names.push_back(printable(axis.name));
  }
  names.insert(names.end(), figures.begin(), figures.end());
  names.emplace_back();  // the column with the reason why a run was not done
  std::vector<TextTable::Column> columns(names.size());
  columns.front().gap = 0;
  columns.back().wraps = true;
  TextTable table(std::move(columns));
  table.row(std::move(names));
  for (const auto& [place, runs] : points) {
    table.row(row_of(runs, figures));
  }
  const std::string missing = describe_missing(results);
  fmt::print(
      "{}\n\n{}\n{}\n", printable(experiment.question), table.text(),
      missing.empty() ? fmt::format("{} runs", results.size()) : missing + "; --retry runs these again");
}

}  // namespace spillway
