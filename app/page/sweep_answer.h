#pragma once

#include <string>
#include <utility>
#include <vector>

#include "app/page/results.h"

// The answer to a sweep's question, from its points.
namespace spillway::page {

using Place = std::vector<std::pair<std::string, std::string>>;

// The repetitions of the run at one place on the axes.
struct Group {
  Place place;
  std::vector<const SweepPoint*> done;
  const SweepPoint* missing = nullptr;  // a repetition that was not done

  std::vector<Figure> figures(const std::string& name) const;  // one for each repetition that has the figure
  std::vector<double> values(const std::string& name) const;
  double speed() const;     // the median in tok/s; 0: no repetition has a speed
  Traits prefetch() const;  // the traits of its prefetcher
  bool is_bound() const;    // the run knows the future, so its speed is only a bound
};

// Returns the groups in the order that the experiment file gives to the values of its axes.
std::vector<Group> groups_of(const Sweep& sweep);

// Returns true if the experiment has several values for the axis.
bool varies(const Sweep& sweep, const std::string& axis);

std::string sweep_answer(const Sweep& sweep, const std::vector<Group>& groups);

}  // namespace spillway::page
