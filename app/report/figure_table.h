#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/json_fwd.h"

// The one table of figures: everything that is compared, tabled and drawn of results. A row holds the
// figure's name and its place in a result. `spillway list figures` exports the table; plots/ reads that
// export, share/figures.json.
namespace spillway {

enum class Unit { number, tok_per_s, share, nanoseconds, bytes, bytes_per_s, seconds };

// Returns the unit's name in JSON: `ns`.
std::string_view name_of(Unit unit);

// The unit of an axis, and how many of these one unit of the figure is.
struct AxisUnit {
  std::string_view name;  // empty: the label needs no unit
  double scale = 1;
};

struct FigureDefinition {
  std::string_view name;  // `p50_ns`: name in --figures and in `plot` of an experiment
  Unit unit{};
  std::string_view label;  // name in a table or on an axis
  AxisUnit axis{};
  bool more_is_better = false;

  // Places of the figure, as keys with a slash between them; empty: results of that schema lack it.
  std::string_view in_report{};  // in a report: divisor of the figure; not above 0: no figure
  std::string_view per{};        // in a report: divisor of the figure; without one above 0 there is no figure
  std::string_view only_if{};    // in a report: the figure means something only if this is above 0
  std::string_view in_plan{};    // spillway.plan/1
  std::string_view in_curve_point{};  // each point of spillway.curve/1
};

std::span<const FigureDefinition> figure_table();

// Returns the figure named `name`, or null if there is none.
const FigureDefinition* find_definition(std::string_view name);

// Writes the table as in `spillway list figures --json`, without empty entries.
Json to_json(std::span<const FigureDefinition> table);

// Describes the figure in words: `median token (ms): phases/measured/latency/p50_ns of a report`.
std::string describe(const FigureDefinition& figure);

}  // namespace spillway
