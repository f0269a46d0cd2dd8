#include <algorithm>

#include "app/cli/printable.h"
#include "app/cli/text_table.h"
#include "app/sweep/compare.h"
#include "core/json.h"

// A comparison as a table and as spillway.compare/1.
namespace spillway {
namespace {

std::string name_of(Difference::Method method) {
  switch (method) {
    case Difference::Method::exact:
      return "exact";
    case Difference::Method::one_sample:
      return "one_sample";
    case Difference::Method::welch:
      return "welch";
    case Difference::Method::paired:
      return "paired";
    case Difference::Method::pooled:
      return "pooled";
    case Difference::Method::none:
      break;
  }
  return "none";
}

std::string name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::higher:
      return "higher";
    case Verdict::lower:
      return "lower";
    case Verdict::equal:
      return "equal";
    case Verdict::noise:
      return "noise";
    case Verdict::unknown:
      break;
  }
  return "unknown";
}

// Returns the value with a sign. Factors and shares are without their unit, which difference_text() adds.
std::string signed_text(const ComparedFigure& figure, double value) {
  if (figure.by_ratio) {
    return fmt::format("{:+.1f}", 100 * value);
  }
  if (figure.unit == Unit::share) {
    return fmt::format("{:+.2f}", 100 * value);
  }
  return fmt::format("{}{}", value < 0 ? "-" : "+", format_figure(std::abs(value), figure.unit));
}

std::string difference_text(const ComparedFigure& figure) {
  if (figure.verdict == Verdict::equal) {
    return "0";
  }
  const char* unit = figure.by_ratio ? " %" : figure.unit == Unit::share ? " points" : "";
  std::string text = signed_text(figure, figure.difference) + unit;
  if (figure.interval && figure.method != Difference::Method::exact) {
    text += fmt::format(" ({} to {})", signed_text(figure, figure.interval->low),
                        signed_text(figure, figure.interval->high));
  }
  return text;
}

// Returns `: better` or `: worse` for a figure of B that is higher or lower.
std::string judgement(const ComparedFigure& figure) {
  const FigureDefinition* definition = definition_of(figure.name);
  if (definition == nullptr) {
    return "";
  }
  return (figure.verdict == Verdict::higher) == definition->more_is_better ? ": better" : ": worse";
}

std::string verdict_text(const ComparedFigure& figure) {
  switch (figure.verdict) {
    case Verdict::higher:
      return "B is higher" + judgement(figure);
    case Verdict::lower:
      return "B is lower" + judgement(figure);
    case Verdict::equal:
      return "equal";
    case Verdict::noise:
      return "noise";
    case Verdict::unknown:
      break;
  }
  return "unknown: one run on each side";
}

std::string mean_text(double mean, size_t count, Unit unit) {
  return count == 1 ? format_figure(mean, unit) : fmt::format("{} of {}", format_figure(mean, unit), count);
}

// Returns the figures of the point that a table shows.
std::vector<const ComparedFigure*> shown(const ComparedPoint& point, const std::vector<std::string>& names) {
  const std::vector<std::string> wanted = names.empty() ? usual_figures() : names;
  std::vector<const ComparedFigure*> list;
  for (const ComparedFigure& figure : point.figures) {
    const auto is_it = [&](const std::string& name) { return is_named(figure, name); };
    if (std::any_of(wanted.begin(), wanted.end(), is_it)) {
      list.push_back(&figure);
    }
  }
  if (list.empty() && names.empty()) {
    for (const ComparedFigure& figure : point.figures) {
      list.push_back(&figure);
    }
  }
  return list;
}

Json json_of(const ComparedFigure& figure) {
  return {{"name", figure.name},
          {"unit", name_of(figure.unit)},
          {"a", {{"mean", figure.mean_a}, {"runs", figure.count_a}}},
          {"b", {{"mean", figure.mean_b}, {"runs", figure.count_b}}},
          {"kind", figure.by_ratio ? "ratio" : "absolute"},
          {"difference", figure.difference},
          {"low", figure.interval ? Json(figure.interval->low) : Json()},
          {"high", figure.interval ? Json(figure.interval->high) : Json()},
          {"method", name_of(figure.method)},
          {"verdict", name_of(figure.verdict)}};
}

// Returns a note that warns readers of many intervals: even if there are no differences, some intervals
// exclude zero by chance.
std::string chance_note(const Comparison& comparison, size_t judged) {
  const double by_chance = (1 - comparison.confidence) * double(judged);
  return judged < 2 ? ""
                    : fmt::format(
                          "{} differences were judged; even if none were real, about "
                          "{:.1f} would look real by chance\n",
                          judged, by_chance);
}

}  // namespace

Json to_json(const Comparison& comparison) {
  Json points = Json::array();
  for (const ComparedPoint& point : comparison.points) {
    Json figures = Json::array();
    for (const ComparedFigure& figure : point.figures) {
      figures.push_back(json_of(figure));
    }
    points.push_back({{"point", point.point}, {"figures", figures}});
  }
  Json conditions = Json::array();
  for (const JudgedCondition& condition : comparison.conditions) {
    conditions.push_back(to_json(condition));
  }
  return {{"schema", "spillway.compare/1"},
          {"a", comparison.a.name},
          {"b", comparison.b.name},
          {"confidence", comparison.confidence},
          {"points", points},
          {"points_only_in_a", comparison.only_in_a},
          {"points_only_in_b", comparison.only_in_b},
          {"failed_runs", comparison.failed_runs},
          {"warnings", comparison.warnings},
          {"conditions", conditions}};
}

std::string to_table(const Comparison& comparison, const std::vector<std::string>& figures) {
  const bool one_point = comparison.points.size() == 1 && comparison.points.front().point.empty();
  TextTable table = one_point ? TextTable({{.gap = 0}, {}, {}, {}, {}})
                              : TextTable({{.gap = 0, .wraps = true}, {}, {}, {}, {}, {}});
  const auto add = [&](std::vector<std::string> row) {
    row.erase(row.begin(), row.begin() + (one_point ? 1 : 0));
    table.row(std::move(row));
  };
  add({"point", "figure", "A", "B", "difference", "verdict"});
  size_t intervals = 0;
  size_t judged = 0;
  for (const ComparedPoint& point : comparison.points) {
    const std::vector<const ComparedFigure*> list = shown(point, figures);
    for (const ComparedFigure* figure : list) {
      const bool measured = figure->interval && figure->method != Difference::Method::exact;
      intervals += measured ? 1 : 0;
      judged += measured && figure->verdict != Verdict::equal ? 1 : 0;
      add({figure == list.front() ? printable(point.point) : "", figure->name,
           mean_text(figure->mean_a, figure->count_a, figure->unit),
           mean_text(figure->mean_b, figure->count_b, figure->unit), difference_text(*figure),
           verdict_text(*figure)});
    }
  }
  std::string text =
      fmt::format("A {}\nB {}\nB against A{}\n\n", printable(comparison.a.name), printable(comparison.b.name),
                  intervals > 0 ? fmt::format(", with {:.4g} % intervals", 100 * comparison.confidence) : "");
  text += table.text() + "\n" + chance_note(comparison, judged);
  if (comparison.only_in_a + comparison.only_in_b > 0) {
    text += fmt::format("left out: {} points that only A has, {} that only B has\n", comparison.only_in_a,
                        comparison.only_in_b);
  }
  if (comparison.failed_runs > 0) {
    text += fmt::format("left out: {} runs that failed or were not available\n", comparison.failed_runs);
  }
  for (const std::string& warning : comparison.warnings) {
    text += fmt::format("warning: {}\n", printable(warning));
  }
  for (const JudgedCondition& condition : comparison.conditions) {
    text += to_text(condition);
  }
  return text;
}

}  // namespace spillway
