#pragma once

#include <string>
#include <vector>

#include "core/json_fwd.h"
#include "core/result.h"

// Conditions of `compare --fail-if`, by which a script or a CI job judges a comparison.
namespace spillway {

struct Comparison;
struct ComparedFigure;

// A change of a figure from A to B that must not happen: `tok_per_s<-5%`.
struct Condition {
  std::string text;
  std::string figure;
  bool is_drop = true;  // true for `<`, false for `>`
  double bound = 0;     // at most 0 for a drop, at least 0 for a rise; -0.05 for -5%
};

// Parses FIGURE<-P% or FIGURE>P%.
Result<Condition> parse_condition(const std::string& text);

enum class Outcome {
  holds,  // the change is within the bound
  noise,  // the change is beyond the bound, but its interval includes zero
  fails
};

enum class Basis {
  exact,     // both values are known without error
  interval,  // the scatter of repetitions
  values     // one run on each side: nothing tells a change from noise
};

// The outcome of a condition for one figure of one point.
struct JudgedFigure {
  std::string point;
  std::string figure;  // with the curve's point behind it, if there is one
  // A share of A's mean; for a figure that is itself a share, the difference in shares: 0.01 is one
  // percentage point. Infinite if A's mean is zero and B's is not.
  double change = 0;
  Basis basis{};
  Outcome outcome{};
};

struct JudgedCondition {
  Condition condition;
  std::vector<JudgedFigure> figures;

  bool fails() const;
};

// Judges the condition at each point that has its figure. Fails if none has.
Result<JudgedCondition> judge(const Condition& condition, const Comparison& comparison);

Json to_json(const JudgedCondition& judged);

// Returns a line for each figure at which the condition fails or is beyond its bound by noise, or one line if
// it holds everywhere.
std::string to_text(const JudgedCondition& judged);

// Succeeds if no condition fails. The error names each that does, with the first point at which it fails.
Result<void> check(const std::vector<JudgedCondition>& judged);

// Returns true if `figure` is named `name`, or is of a curve's point: `hit_ratio lru 4GB` is a `hit_ratio`.
bool is_named(const ComparedFigure& figure, const std::string& name);

}  // namespace spillway
