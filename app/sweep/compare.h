#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/sweep/results.h"
#include "core/json_fwd.h"
#include "sim/difference.h"

namespace spillway {

// Results of one thing, or of many that each have a point.
struct ComparedSide {
  std::string name;       // as asked for
  std::string directory;  // of a sweep; empty: of reports
  bool interleaved = false;
  std::map<std::string, std::vector<PointResult>> points;  // by their point; repetitions in order
};

// `path` is a report or a curve; a folder of reports of the same run, its repetitions; or a sweep's folder,
// of which `parts`, as in axis=value, name the points that are meant.
Result<ComparedSide> load_side(const std::string& path, const std::vector<std::string>& parts);

enum class Verdict { higher, lower, equal, noise, unknown };

struct ComparedFigure {
  std::string name;
  Unit unit{};
  double mean_a = 0;  // geometric where it is compared by a factor
  double mean_b = 0;
  size_t count_a = 0;
  size_t count_b = 0;
  // By a factor: of geometric means, B ÷ A − 1. Else B − A.
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
  std::vector<ComparedPoint> points;  // those that both have
  size_t only_in_a = 0;
  size_t only_in_b = 0;
  size_t failed_runs = 0;
};

// Fails where the two have no point in common.
Result<Comparison> compare(ComparedSide a, ComparedSide b, double confidence);

Json to_json(const Comparison& comparison);

// `figures`: only these; empty: the usual ones, or all there are where none of these is among them.
std::string to_table(const Comparison& comparison, const std::vector<std::string>& figures);

}  // namespace spillway
