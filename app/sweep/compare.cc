#include "app/sweep/compare.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/json.h"
#include "core/nearest.h"

namespace spillway {
namespace {

// The values of one figure, one for each repetition.
struct Values {
  std::vector<double> values;
  std::vector<uint32_t> repetitions;
  std::vector<std::string> hosts;
  bool known = true;
  Unit unit{};
};

std::vector<std::string> names_in(const std::vector<PointResult>& runs) {
  std::vector<std::string> names;
  for (const PointResult& run : runs) {
    for (const Figure& figure : run.figures) {
      if (std::find(names.begin(), names.end(), figure.name) == names.end()) {
        names.push_back(figure.name);
      }
    }
  }
  return names;
}

Values values_of(const std::vector<PointResult>& runs, const std::string& name) {
  Values values;
  for (const PointResult& run : runs) {
    for (const Figure& figure : run.figures) {
      if (figure.name == name) {
        values.values.push_back(figure.value);
        values.repetitions.push_back(run.repetition);
        values.hosts.push_back(run.host);
        values.known = values.known && figure.known;
        values.unit = figure.unit;
      }
    }
  }
  return values;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) {
    sum += value;
  }
  return sum / double(values.size());
}

bool all_positive(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double value) { return value > 0; });
}

std::vector<double> logarithms(std::vector<double> values) {
  for (double& value : values) {
    value = std::log(value);
  }
  return values;
}

// Returns the mean that is compared: geometric for a factor, else arithmetic. A single value is returned
// unchanged, free of the rounding of the logarithm.
double centre_of(const std::vector<double>& values, bool by_ratio) {
  return by_ratio && values.size() > 1 ? std::exp(mean_of(logarithms(values))) : mean_of(values);
}

Verdict verdict_of(const std::optional<Interval>& interval) {
  if (!interval) {
    return Verdict::unknown;
  }
  if (interval->low == 0 && interval->high == 0) {
    return Verdict::equal;
  }
  return interval->low > 0 ? Verdict::higher : interval->high < 0 ? Verdict::lower : Verdict::noise;
}

// Compares the values of one figure. A factor is compared by its logarithm, since the errors of logarithms
// are closer to normal and equal in both directions.
ComparedFigure compare_figure(const std::string& name, const Values& a, const Values& b, bool neighbours,
                              double confidence) {
  ComparedFigure figure;
  figure.name = name;
  figure.unit = a.unit;
  figure.count_a = a.values.size();
  figure.count_b = b.values.size();
  figure.by_ratio = is_compared_by_ratio(a.unit) && all_positive(a.values) && all_positive(b.values);
  figure.mean_a = centre_of(a.values, figure.by_ratio);
  figure.mean_b = centre_of(b.values, figure.by_ratio);
  const std::vector<double> of_a = figure.by_ratio ? logarithms(a.values) : a.values;
  const std::vector<double> of_b = figure.by_ratio ? logarithms(b.values) : b.values;
  const bool in_pairs = neighbours && a.repetitions == b.repetitions && a.hosts == b.hosts;
  const Difference difference = difference_of({of_a, a.known}, {of_b, b.known}, in_pairs, confidence);
  const auto back = [&](double value) { return figure.by_ratio ? std::expm1(value) : value; };
  figure.difference = back(difference.estimate);
  if (difference.interval) {
    figure.interval = Interval{back(difference.interval->low), back(difference.interval->high)};
  }
  figure.method = difference.method;
  figure.verdict = verdict_of(figure.interval);
  return figure;
}

ComparedPoint compare_point(const std::string& point, const std::vector<PointResult>& a,
                            const std::vector<PointResult>& b, bool neighbours, double confidence) {
  ComparedPoint compared{point, {}};
  for (const std::string& name : names_in(a)) {
    const Values of_a = values_of(a, name);
    const Values of_b = values_of(b, name);
    if (!of_b.values.empty()) {
      compared.figures.push_back(compare_figure(name, of_a, of_b, neighbours, confidence));
    }
  }
  return compared;
}

// Describes a point of both sides; that of reports needs no words.
std::string name_of(const PointOf& a, const PointOf& b) {
  const auto words = [](const PointOf& point) { return point.empty() ? "" : spillway::describe(point); };
  return a == b ? words(a) : words(a) + " / " + words(b);
}

// Returns the identities of the traces that were run, as far as the results say.
std::set<std::string> traces_of(const std::vector<PointResult>& runs) {
  std::set<std::string> traces;
  for (const PointResult& run : runs) {
    if (!run.trace.empty()) {
      traces.insert(run.trace);
    }
  }
  return traces;
}

bool differ(const std::set<std::string>& a, const std::set<std::string>& b) {
  return !a.empty() && !b.empty() && a != b;
}

// Removes the runs that failed, and returns their number.
size_t drop_failures(ComparedSide& side) {
  size_t dropped = 0;
  for (auto& [point, runs] : side.points) {
    dropped += std::erase_if(runs, [](const PointResult& run) { return !run.done; });
  }
  std::erase_if(side.points, [](const auto& point) { return point.second.empty(); });
  return dropped;
}

}  // namespace

const FigureDefinition* definition_of(const std::string& name) {
  return find_definition(std::string_view(name).substr(0, name.find(' ')));
}

Result<void> check_figures(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (definition_of(name) == nullptr) {
      std::vector<std::string> known;
      for (const FigureDefinition& figure : figure_table()) {
        known.emplace_back(figure.name);
      }
      return wrong_usage("there is no figure '{}'{}", name, meant_or_all(name, known));
    }
  }
  return {};
}

Result<Comparison> compare(ComparedSide a, ComparedSide b, double confidence) {
  Comparison comparison;
  comparison.confidence = confidence;
  comparison.failed_runs = drop_failures(a) + drop_failures(b);
  // Interleaved runs of one sweep are neighbours in time: a disturbance that slowed one slowed the other too.
  const bool neighbours = !a.origin.empty() && a.origin == b.origin && a.interleaved;
  size_t of_other_traces = 0;
  const bool one_each = a.points.size() == 1 && b.points.size() == 1;
  for (const auto& [point, runs] : a.points) {
    const auto other = one_each ? b.points.begin() : b.points.find(point);
    if (other == b.points.end()) {
      ++comparison.only_in_a;
      continue;
    }
    comparison.points.push_back(
        compare_point(name_of(point, other->first), runs, other->second, neighbours, confidence));
    of_other_traces += differ(traces_of(runs), traces_of(other->second)) ? 1 : 0;
  }
  comparison.only_in_b = b.points.size() - comparison.points.size();
  const bool any = std::any_of(comparison.points.begin(), comparison.points.end(),
                               [](const ComparedPoint& point) { return !point.figures.empty(); });
  if (!any) {
    return failed("{} and {} have no point with a figure in common", a.name, b.name);
  }
  if (of_other_traces > 0) {
    const size_t all = comparison.points.size();
    comparison.warnings.push_back(fmt::format(
        "A and B ran different traces{}: part of each difference may come from the traces; compare runs of "
        "the same trace",
        all == 1 ? "" : fmt::format(" at {} of {} points", of_other_traces, all)));
  }
  comparison.a = std::move(a);
  comparison.b = std::move(b);
  return comparison;
}

}  // namespace spillway
