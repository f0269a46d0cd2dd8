#include "app/report/figures.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <sstream>

#include "app/report/saturated.h"
#include "app/report/traits.h"
#include "core/json.h"
#include "core/units.h"

namespace spillway {
namespace {

// Returns the number at `path` (keys with a slash between them), or nothing if there is no number.
std::optional<double> number_at(const Json& json, std::string_view path) {
  const Json* at = &json;
  std::istringstream keys{std::string(path)};
  for (std::string key; std::getline(keys, key, '/');) {
    const auto found = at->find(key);  // ends the search in anything but an object
    if (!at->is_object() || found == at->end()) {
      return std::nullopt;
    }
    at = &*found;
  }
  return at->is_number() ? std::optional(at->get<double>()) : std::nullopt;
}

bool is_known(const Json& report) {
  const PolicyTraits traits = traits_of_report(report);
  return report.value("clock", Json()) == "virtual" && !traits.evict.is_random && !traits.prefetch.is_random;
}

// Returns nothing if the report leaves the figure out, or the figure would mean nothing.
std::optional<double> value_in_report(const FigureDefinition& figure, const Json& report) {
  const auto is_above_0 = [&](std::string_view path) { return number_at(report, path).value_or(0) > 0; };
  if (figure.in_report.empty() || (!figure.only_if.empty() && !is_above_0(figure.only_if)) ||
      (!figure.per.empty() && !is_above_0(figure.per))) {
    return std::nullopt;
  }
  std::optional<double> value = number_at(report, figure.in_report);
  if (value && !figure.per.empty()) {
    *value /= *number_at(report, figure.per);
  }
  // A quotient of two numbers that a file claims may be none itself.
  return value && std::isfinite(*value) ? value : std::nullopt;
}

std::vector<Figure> figures_of_report(const Json& report) {
  std::vector<Figure> figures;
  const bool known = is_known(report);
  for (const FigureDefinition& figure : figure_table()) {
    if (const std::optional<double> value = value_in_report(figure, report)) {
      figures.push_back({std::string(figure.name), figure.unit, *value, known});
    }
  }
  return figures;
}

std::vector<Figure> figures_of_plan(const Json& plan) {
  std::vector<Figure> figures;
  for (const FigureDefinition& figure : figure_table()) {
    const std::optional<double> value =
        figure.in_plan.empty() ? std::nullopt : number_at(plan, figure.in_plan);
    if (value) {
      figures.push_back({std::string(figure.name), figure.unit, *value, true});
    }
  }
  return figures;
}

std::vector<Figure> figures_of_curve(const Json& curve) {
  std::vector<Figure> figures;
  const auto points = curve.find("points");
  if (points == curve.end() || !points->is_array()) {
    return figures;
  }
  for (const Json& point : *points) {
    const std::optional<double> bytes = number_at(point, "cache_bytes");
    const Json policy = point.is_object() ? point.value("policy", Json()) : Json();
    if (!bytes || !policy.is_string()) {
      continue;
    }
    const std::string name_of_policy = policy.get<std::string>();
    const std::string of = fmt::format("{} {}", name_of_policy, format_bytes(saturated<uint64_t>(*bytes)));
    for (const FigureDefinition& figure : figure_table()) {
      const std::optional<double> value =
          figure.in_curve_point.empty() ? std::nullopt : number_at(point, figure.in_curve_point);
      if (value) {
        figures.push_back({fmt::format("{} {}", figure.name, of), figure.unit, *value,
                           !traits_of_curve_point(point).is_random});
      }
    }
  }
  return figures;
}

}  // namespace

std::vector<Figure> figures_of(const Json& result) {
  const Json schema = result.is_object() ? result.value("schema", Json()) : Json();
  if (schema == "spillway.report/1") {
    return figures_of_report(result);
  }
  if (schema == "spillway.plan/1") {
    return figures_of_plan(result);
  }
  return schema == "spillway.curve/1" ? figures_of_curve(result) : std::vector<Figure>();
}

std::vector<std::string> usual_figures() {
  return {"tok_per_s", "hit_ratio", "p50_ns", "p99_ns", "missed_bytes_per_token", "perplexity"};
}

std::string format_figure(double value, Unit unit) {
  switch (unit) {
    case Unit::tok_per_s:
      return fmt::format("{:.4g} tok/s", value);
    case Unit::share:
      return fmt::format("{:.2f} %", 100 * value);
    case Unit::nanoseconds:
      return format_duration(Nanoseconds(saturated<int64_t>(value)));
    case Unit::bytes:
      return format_bytes(saturated<uint64_t>(value));
    case Unit::bytes_per_s:
      return format_bytes(saturated<uint64_t>(value)) + "/s";
    case Unit::seconds:
      return fmt::format("{:.4g} s", value);
    case Unit::number:
      break;
  }
  return fmt::format("{:.4g}", value);
}

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.empty()           ? 0
         : values.size() % 2 == 1 ? values[middle]
                                  : (values[middle - 1] + values[middle]) / 2;
}

bool is_compared_by_ratio(Unit unit) {
  return unit != Unit::share;
}

}  // namespace spillway
