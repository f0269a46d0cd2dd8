#pragma once

#include <string>
#include <vector>

#include "app/report/figure_table.h"
#include "core/json_fwd.h"

// The figures of one result: the values of figure_table.h.
namespace spillway {

struct Figure {
  std::string name;  // `tok_per_s`; in a curve followed by its point: `hit_ratio lru 4GB`
  Unit unit{};
  double value = 0;
  // True if another run would give the same value: the figure is counted or computed, or comes from virtual
  // time with no random policy or prefetcher.
  bool known = false;
};

// Returns all figures of `result` (spillway.report/1, spillway.curve/1 or spillway.plan/1) but those that are
// missing or null in it. Returns none for another schema.
std::vector<Figure> figures_of(const Json& result);

// Returns the figures that a table shows if the user chose none.
std::vector<std::string> usual_figures();

std::string format_figure(double value, Unit unit);

// Returns the centre of repetitions, in tables as in plots; a single disturbed run does not
// move it. 0 if empty.
double median_of(std::vector<double> values);

// Returns false for shares, which are compared by percentage points, and true for all else, which is compared
// by a factor: 2 % of hits are not twice as good as 1 %.
bool is_compared_by_ratio(Unit unit);

}  // namespace spillway
