#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/json_fwd.h"

// The one table of figures: what is compared, tabled and drawn of results, under which name, and where in a
// result it is. `spillway list figures` exports the table; plots/ reads that export, share/figures.json.
namespace spillway {

enum class Unit { number, tok_per_s, share, nanoseconds, bytes, bytes_per_s, seconds };

// As JSON has it: `ns`.
std::string_view name_of(Unit unit);

// What an axis counts in, and how many of these a figure's own unit is.
struct AxisUnit {
  std::string_view name;  // empty: the label says all
  double scale = 1;
};

struct FigureDefinition {
  std::string_view name;  // `p50_ns`: what `plot` in an experiment and --figures call it
  Unit unit{};
  std::string_view label;  // what a table or an axis calls it
  AxisUnit axis{};
  bool more_is_better = false;

  // Where the figure is, as keys with a slash between them; empty: not in results of that schema.
  std::string_view in_report{};       // spillway.report/1
  std::string_view per{};             // in a report: what the figure is divided by, where that is above 0
  std::string_view only_if{};         // in a report: the figure means something where this is above 0
  std::string_view in_plan{};         // spillway.plan/1
  std::string_view in_curve_point{};  // each point of spillway.curve/1
};

std::span<const FigureDefinition> figure_table();

// Null where there is no figure of that name.
const FigureDefinition* find_definition(std::string_view name);

// The table as `spillway list figures --json` writes it, without what is empty.
Json to_json(std::span<const FigureDefinition> table);

// In words: `median token (ms): phases/measured/latency/p50_ns of a report`.
std::string describe(const FigureDefinition& figure);

}  // namespace spillway
