#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/sweep/condition.h"
#include "app/sweep/point_order.h"
#include "app/sweep/results.h"
#include "core/json_fwd.h"
#include "sim/difference.h"

namespace spillway {

// Results of one side of a comparison: of a single run with its repetitions, or of the points of a sweep.
struct ComparedSide {
  std::string name;    // the path and the parts as the user gave them
  std::string origin;  // the folder of the sweep, or the file of several runs; empty for reports
  bool interleaved = false;
  // For each point, its repetitions in order. The point of reports is empty.
  std::map<PointOf, std::vector<PointResult>, PointOrder> points;
};

// Loads one side. `path` is a report, a curve or a plan; a folder with reports of the same run, which are its
// repetitions; or a file of several runs or a sweep's folder, from which `parts`, each AXIS=VALUE, select
// points.
Result<ComparedSide> load_side(const std::string& path, const std::vector<std::string>& parts);

enum class Verdict { higher, lower, equal, noise, unknown };

struct ComparedFigure {
  std::string name;
  Unit unit{};
  double mean_a = 0;  // geometric if by_ratio, else arithmetic
  double mean_b = 0;
  size_t count_a = 0;
  size_t count_b = 0;
  // True if the difference is a factor: B ÷ A − 1 of the geometric means. Otherwise it is B − A.
  bool by_ratio = false;
  double difference = 0;
  std::optional<Interval> interval;
  Difference::Method method = Difference::Method::none;
  Verdict verdict = Verdict::unknown;
};

struct ComparedPoint {
  std::string point;
  std::vector<ComparedFigure> figures;
};

struct Comparison {
  ComparedSide a;
  ComparedSide b;
  double confidence = 0.95;
  std::vector<ComparedPoint> points;  // the points that both sides have
  size_t only_in_a = 0;
  size_t only_in_b = 0;
  size_t failed_runs = 0;
  std::vector<std::string> warnings;
  std::vector<JudgedCondition> conditions;  // those of --fail-if
};

// Compares the two sides. Fails if they have no point with a figure in common.
Result<Comparison> compare(ComparedSide a, ComparedSide b, double confidence);

// Returns the figure of the table that `name` belongs to, or null if there is none. In a curve the name is
// followed by its point: `hit_ratio lru 4GB`.
const FigureDefinition* definition_of(const std::string& name);

// Fails if a name is not that of a figure, with the name that was probably meant.
Result<void> check_figures(const std::vector<std::string>& names);

Json to_json(const Comparison& comparison);

// Returns the comparison as a table of `figures`. If `figures` is empty, the table has the usual figures, or
// all figures if a point has none of the usual.
std::string to_table(const Comparison& comparison, const std::vector<std::string>& figures);

}  // namespace spillway
