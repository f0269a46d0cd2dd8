#include "app/sweep/condition.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "app/cli/printable.h"
#include "app/sweep/compare.h"
#include "core/json.h"
#include "core/options.h"
#include "core/text.h"

namespace spillway {
namespace {

constexpr const char* kForm = "write it like tok_per_s<-5% or p99_ns>10%";

std::string without_blanks(const std::string& text) {
  std::string kept;
  std::copy_if(text.begin(), text.end(), std::back_inserter(kept), [](char c) { return c != ' '; });
  return kept;
}

// Parses a bound such as `-5%`.
std::optional<double> bound_of(std::string text) {
  if (!text.ends_with('%')) {
    return std::nullopt;
  }
  text.pop_back();
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) {
    text.erase(0, 1);
  }
  double percent = 0;
  if (!read_option(text, percent)) {
    return std::nullopt;
  }
  return (negative ? -percent : percent) / 100;
}

double change_of(const ComparedFigure& figure) {
  if (figure.by_ratio || figure.unit == Unit::share || figure.difference == 0) {
    return figure.difference;
  }
  return figure.mean_a == 0 ? std::copysign(std::numeric_limits<double>::infinity(), figure.difference)
                            : figure.difference / figure.mean_a;
}

Basis basis_of(const ComparedFigure& figure) {
  if (figure.verdict == Verdict::unknown) {
    return Basis::values;
  }
  return figure.method == Difference::Method::exact ? Basis::exact : Basis::interval;
}

Outcome outcome_of(const Condition& condition, const ComparedFigure& figure) {
  const double change = change_of(figure);
  if (condition.is_drop ? change >= condition.bound : change <= condition.bound) {
    return Outcome::holds;
  }
  return figure.verdict == Verdict::noise ? Outcome::noise : Outcome::fails;
}

const char* name_of(Outcome outcome) {
  return outcome == Outcome::holds ? "holds" : outcome == Outcome::noise ? "noise" : "fails";
}

const char* name_of(Basis basis) {
  return basis == Basis::exact ? "exact" : basis == Basis::interval ? "interval" : "values";
}

// Describes the change of one figure: ` at cache=1GB: -12.1 %`.
std::string change_text(const Condition& condition, const JudgedFigure& figure) {
  const FigureDefinition* definition = definition_of(figure.figure);
  const bool in_points = definition != nullptr && definition->unit == Unit::share;
  const std::string of_curve = figure.figure.substr(condition.figure.size());
  return fmt::format("{}{}: {}{}", of_curve, figure.point.empty() ? "" : " at " + printable(figure.point),
                     std::isfinite(figure.change)
                         ? fmt::format("{:+.2f} {}", 100 * figure.change, in_points ? "points" : "%")
                         : "from 0",
                     figure.basis == Basis::values ? " (one run on each side: the change may be noise)" : "");
}

}  // namespace

Result<Condition> parse_condition(const std::string& text) {
  const std::string dense = without_blanks(text);
  const size_t sign = dense.find_first_of("<>");
  if (sign == std::string::npos || sign == 0) {
    return wrong_usage("--fail-if '{}': is not a condition; {}", text, kForm);
  }
  Condition condition{text, dense.substr(0, sign), dense[sign] == '<', 0};
  if (Result<void> known = check_figures({condition.figure}); !known) {
    return wrong_usage("--fail-if '{}': {}", text, known.error().message);
  }
  const std::optional<double> bound = bound_of(dense.substr(sign + 1));
  if (!bound) {
    return wrong_usage("--fail-if '{}': '{}' is not a bound in percent; {}", text, dense.substr(sign + 1),
                       kForm);
  }
  condition.bound = *bound;
  if (condition.is_drop ? *bound > 0 : *bound < 0) {
    return wrong_usage(
        "--fail-if '{}': a bound after {} must be 0% or {}, since B would fail without any change; {}", text,
        dense[sign], condition.is_drop ? "less" : "more", kForm);
  }
  return condition;
}

bool JudgedCondition::fails() const {
  return std::any_of(figures.begin(), figures.end(),
                     [](const JudgedFigure& figure) { return figure.outcome == Outcome::fails; });
}

bool is_named(const ComparedFigure& figure, const std::string& name) {
  return figure.name == name || figure.name.starts_with(name + " ");
}

Result<JudgedCondition> judge(const Condition& condition, const Comparison& comparison) {
  JudgedCondition judged{condition, {}};
  for (const ComparedPoint& point : comparison.points) {
    for (const ComparedFigure& figure : point.figures) {
      if (is_named(figure, condition.figure)) {
        judged.figures.push_back(
            {point.point, figure.name, change_of(figure), basis_of(figure), outcome_of(condition, figure)});
      }
    }
  }
  if (judged.figures.empty()) {
    return wrong_usage("--fail-if '{}': {} and {} have no {} in common; --json - shows the figures they have",
                       condition.text, comparison.a.name, comparison.b.name, condition.figure);
  }
  return judged;
}

Json to_json(const JudgedCondition& judged) {
  Json figures = Json::array();
  for (const JudgedFigure& figure : judged.figures) {
    figures.push_back({{"point", figure.point},
                       {"name", figure.figure},
                       {"change", std::isfinite(figure.change) ? Json(figure.change) : Json()},
                       {"basis", name_of(figure.basis)},
                       {"outcome", name_of(figure.outcome)}});
  }
  return {{"condition", judged.condition.text}, {"fails", judged.fails()}, {"figures", figures}};
}

std::string to_text(const JudgedCondition& judged) {
  std::string text;
  for (const JudgedFigure& figure : judged.figures) {
    if (figure.outcome != Outcome::holds) {
      text += fmt::format("fail-if {}: {}{}\n", printable(judged.condition.text),
                          figure.outcome == Outcome::fails ? "FAILS" : "holds, since the change is noise,",
                          change_text(judged.condition, figure));
    }
  }
  const bool blind = std::any_of(judged.figures.begin(), judged.figures.end(),
                                 [](const JudgedFigure& figure) { return figure.basis == Basis::values; });
  return text.empty() ? fmt::format("fail-if {}: holds{}\n", printable(judged.condition.text),
                                    blind ? " (one run on each side: the values alone were compared)" : "")
                      : text;
}

Result<void> check(const std::vector<JudgedCondition>& judged) {
  std::vector<std::string> failures;
  for (const JudgedCondition& one : judged) {
    for (const JudgedFigure& figure : one.figures) {
      if (figure.outcome == Outcome::fails) {
        failures.push_back(one.condition.text + change_text(one.condition, figure));
        break;
      }
    }
  }
  if (failures.empty()) {
    return {};
  }
  return failed("--fail-if: {} of {} conditions fail: {}", failures.size(), judged.size(),
                join(failures, "; "));
}

}  // namespace spillway
