#pragma once

#include <string>
#include <vector>

#include "app/report/figure_table.h"
#include "core/json_fwd.h"

// The figures of one result: the values of figure_table.h.
namespace spillway {

struct Figure {
  std::string name;  // `tok_per_s`; in a curve with the point it belongs to: `hit_ratio lru 4GB`
  Unit unit{};
  double value = 0;
  // The same again if it were run again: by counting or reckoning, or in virtual time without a policy or
  // prefetcher that draws lots.
  bool known = false;
};

// All that `result` (spillway.report/1, spillway.curve/1 or spillway.plan/1) tells; what it leaves out or
// says null of is left out. Of another schema: nothing.
std::vector<Figure> figures_of(const Json& result);

// The figures worth a table where nobody said which.
std::vector<std::string> usual_figures();

std::string format_figure(double value, Unit unit);

// The centre of repetitions, in tables as in plots: one that was disturbed does not move it. 0 of none.
double median_of(std::vector<double> values);

// Two shares differ by points of a hundred, all else by a factor: 2 % of hits are not twice as good as 1 %.
bool is_compared_by_ratio(Unit unit);

}  // namespace spillway
