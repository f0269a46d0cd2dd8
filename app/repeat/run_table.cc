#include "app/repeat/run_table.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "app/cli/printable.h"
#include "app/cli/text_table.h"
#include "core/json.h"
#include "core/text.h"
#include "core/units.h"

namespace spillway {
namespace {

constexpr double kConfidence = 0.95;
constexpr const char* kReadRate = "read_bytes_per_s";

// The figure of a table's column, or nullptr if the point lacks it.
const RepeatedFigure* find(const std::vector<RepeatedFigure>& figures, const std::string& name) {
  const auto found = std::find_if(figures.begin(), figures.end(),
                                  [&](const RepeatedFigure& figure) { return figure.name == name; });
  return found == figures.end() ? nullptr : &*found;
}

double half_width(const Interval& interval) {
  return (interval.high - interval.low) / 2;
}

// Returns a speed with four digits, and others that stand beside it with as many decimals.
std::string speed_text(double speed, double beside) {
  const double size = std::max(std::abs(beside), 1e-9);
  return fmt::format("{:.{}f}", speed, std::clamp(3 - int(std::floor(std::log10(size))), 0, 6));
}

std::string value_text(const std::vector<RepeatedFigure>& figures, const std::string& name) {
  const RepeatedFigure* figure = find(figures, name);
  return figure == nullptr ? "-" : format_figure(figure->mean, figure->unit);
}

// Returns `12.34 ±0.05`.
std::string mean_text(const RepeatedFigure* speed) {
  if (speed == nullptr) {
    return "-";
  }
  return speed_text(speed->mean, speed->mean) +
         (speed->interval ? " ±" + speed_text(half_width(*speed->interval), speed->mean) : "");
}

std::string interval_text(const RepeatedFigure* speed) {
  return speed == nullptr || !speed->interval
             ? "-"
             : fmt::format("{} to {}", speed_text(speed->interval->low, speed->mean),
                           speed_text(speed->interval->high, speed->mean));
}

std::string runs_text(const RepeatedPoint& point) {
  return point.disturbed() == 0 ? fmt::format("{}", point.runs())
                                : fmt::format("{}, {} disturbed", point.runs(), point.disturbed());
}

using Rows = std::vector<std::vector<std::string>>;

std::vector<const RepeatedPoint*> with_runs(const RunTable& table) {
  std::vector<const RepeatedPoint*> points;
  for (const RepeatedPoint& point : table.points) {
    if (point.runs() > 0) {
      points.push_back(&point);
    }
  }
  return points;
}

// Returns the rows that people read, the heading first. The interval has a column if any point has one.
Rows readable_rows(const RunTable& table) {
  const std::vector<const RepeatedPoint*> points = with_runs(table);
  const bool repeated =
      std::any_of(points.begin(), points.end(), [](const RepeatedPoint* point) { return point->runs() > 1; });
  Rows rows(1);
  for (const auto& [name, values] : table.axes) {
    rows.front().push_back(name);
  }
  for (const char* title : {"tok/s", "95 % interval", "hits", "from the drive", "p50", "p99", "runs"}) {
    if (repeated || title != std::string("95 % interval")) {
      rows.front().emplace_back(title);
    }
  }
  for (const RepeatedPoint* point : points) {
    const std::vector<RepeatedFigure> figures = point->figures();
    const RepeatedFigure* speed = find(figures, "tok_per_s");
    std::vector<std::string> row;
    for (const auto& [name, value] : point->place()) {
      row.push_back(printable(value));
    }
    row.push_back(mean_text(speed));
    if (repeated) {
      row.push_back(interval_text(speed));
    }
    for (const char* name : {"hit_ratio", kReadRate, "p50_ns", "p99_ns"}) {
      row.push_back(value_text(figures, name));
    }
    row.push_back(runs_text(*point));
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string to_plain(const RunTable& table) {
  std::vector<TextTable::Column> columns;
  Rows rows = readable_rows(table);
  for (size_t i = 0; i < rows.front().size(); ++i) {
    const bool is_number = i >= table.axes.size() && i + 1 < rows.front().size();
    columns.push_back({.align = is_number ? TextTable::Align::right : TextTable::Align::left,
                       .gap = size_t(i == 0 ? 0 : 2)});
  }
  TextTable text(std::move(columns));
  for (std::vector<std::string>& row : rows) {
    text.row(std::move(row));
  }
  return text.text();
}

std::string to_markdown(const RunTable& table) {
  std::string text;
  const Rows rows = readable_rows(table);
  for (const std::vector<std::string>& row : rows) {
    for (const std::string& cell : row) {
      text += "| ";
      for (const char c : cell) {
        text += c == '|' ? "\\|" : std::string(1, c);
      }
      text += ' ';
    }
    text += "|\n";
    for (size_t i = 0; &row == &rows.front() && i < row.size(); ++i) {
      text += i < table.axes.size() ? "|---" : "|---:";
    }
    text += &row == &rows.front() ? "|\n" : "";
  }
  return text;
}

// Quotes a field of CSV if it needs that (RFC 4180).
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    return text;
  }
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  }
  return quoted + '"';
}

std::string csv_line(const std::vector<std::string>& fields) {
  std::vector<std::string> quoted;
  for (const std::string& field : fields) {
    quoted.push_back(csv_field(field));
  }
  return join(quoted, ",") + "\n";
}

std::string to_csv(const RunTable& table) {
  constexpr std::array<const char*, 5> kFields = {"tok_per_s", "hit_ratio", kReadRate, "p50_ns", "p99_ns"};
  std::vector<std::string> heading;
  for (const auto& [name, values] : table.axes) {
    heading.push_back(name);
  }
  for (const char* field : kFields) {
    heading.emplace_back(field);
  }
  heading.insert(heading.end(), {"tok_per_s_low", "tok_per_s_high", "runs", "disturbed_runs"});
  std::string text = csv_line(heading);
  for (const RepeatedPoint* point : with_runs(table)) {
    const std::vector<RepeatedFigure> figures = point->figures();
    std::vector<std::string> row;
    for (const auto& [name, value] : point->place()) {
      row.push_back(value);
    }
    for (const char* field : kFields) {
      const RepeatedFigure* figure = find(figures, field);
      row.push_back(figure == nullptr ? "" : fmt::format("{}", figure->mean));
    }
    const RepeatedFigure* speed = find(figures, "tok_per_s");
    const bool has_interval = speed != nullptr && speed->interval;
    row.push_back(has_interval ? fmt::format("{}", speed->interval->low) : "");
    row.push_back(has_interval ? fmt::format("{}", speed->interval->high) : "");
    row.push_back(fmt::format("{}", point->runs()));
    row.push_back(fmt::format("{}", point->disturbed()));
    text += csv_line(row);
  }
  return text;
}

Json json_of(const RepeatedPoint::Place& place) {
  Json json = Json::object();
  for (const auto& [name, value] : place) {
    json[name] = value;
  }
  return json;
}

Json json_of(const RepeatedPoint& point) {
  Json figures = Json::array();
  for (const RepeatedFigure& figure : point.figures()) {
    figures.push_back({{"name", figure.name},
                       {"unit", name_of(figure.unit)},
                       {"mean", figure.mean},
                       {"low", figure.interval ? Json(figure.interval->low) : Json()},
                       {"high", figure.interval ? Json(figure.interval->high) : Json()}});
  }
  return {{"point", json_of(point.place())},
          {"runs", point.runs()},
          {"disturbed_runs", point.disturbed()},
          {"figures", figures}};
}

// Returns the rate at which bytes came from the drive or, if the kernel does not tell that, were read.
std::optional<double> read_rate(const Report& report) {
  const double wall = seconds(report.io.wall);
  return wall > 0 ? std::optional(double(report.io.device_bytes.value_or(report.io.counts.bytes_read)) / wall)
                  : std::nullopt;
}

}  // namespace

void RepeatedPoint::add(const Report& report) {
  reports_.push_back(to_json(report));
  figures_.push_back(figures_of(reports_.back()));
  if (const std::optional<double> rate = read_rate(report)) {
    figures_.back().push_back({kReadRate, Unit::bytes_per_s, *rate, report.virtual_time});
  }
  disturbed_ += is_disturbed(report) ? 1 : 0;
}

std::vector<RepeatedFigure> RepeatedPoint::figures() const {
  std::vector<RepeatedFigure> means;
  for (const Figure& figure : figures_.empty() ? std::vector<Figure>() : figures_.front()) {
    std::vector<double> values;
    bool known = true;
    for (const std::vector<Figure>& run : figures_) {
      for (const Figure& one : run) {
        if (one.name == figure.name) {
          values.push_back(one.value);
          known = known && one.known;
        }
      }
    }
    if (values.size() < figures_.size()) {
      continue;
    }
    // The mean and its interval are those of the difference from a number without error, 0.
    constexpr double kZero = 0;
    const Difference mean = difference_of({{&kZero, 1}, true}, {values, known}, false, kConfidence);
    means.push_back({figure.name, figure.unit, mean.estimate,
                     values.size() > 1 ? mean.interval : std::optional<Interval>()});
  }
  return means;
}

std::string describe_place(const RepeatedPoint::Place& place) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : place) {
    parts.push_back(name + "=" + value);
  }
  return join(parts, ", ");
}

Json to_json(const RunTable& table, bool with_reports) {
  Json axes = Json::array();
  for (const auto& [name, values] : table.axes) {
    axes.push_back({{"name", name}, {"values", values}});
  }
  Json points = Json::array();
  Json runs = Json::array();
  for (const RepeatedPoint* point : with_runs(table)) {
    points.push_back(json_of(*point));
    for (size_t i = 0; i < point->runs(); ++i) {
      runs.push_back(
          {{"point", json_of(point->place())}, {"repetition", i + 1}, {"result", point->reports()[i]}});
    }
  }
  Json json = {{"schema", "spillway.runs/1"},
               {"command_line", table.command_line},
               {"axes", axes},
               {"confidence", kConfidence},
               {"points", points}};
  if (with_reports) {
    json["runs"] = std::move(runs);
  }
  return json;
}

std::string to_text(const RunTable& table, const std::string& format) {
  if (format == "json") {
    return to_json(table, false).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  return format == "csv" ? to_csv(table) : format == "markdown" ? to_markdown(table) : to_plain(table);
}

}  // namespace spillway
