#pragma once

#include <string>
#include <utility>
#include <vector>

#include "app/page/results.h"

// What a sweep's points say, as one answer.
namespace spillway::page {

using Place = std::vector<std::pair<std::string, std::string>>;

// The repetitions of one place on the axes.
struct Group {
  Place place;
  std::vector<const SweepPoint*> done;
  const SweepPoint* missing = nullptr;  // one that was not done

  std::vector<Figure> figures(const std::string& name) const;  // of those repetitions that have it
  std::vector<double> values(const std::string& name) const;
  double speed() const;     // the median; 0: there is none
  Traits prefetch() const;  // of its prefetcher
  bool is_bound() const;    // it knows the future
};

// In the order that the experiment file gives to the values of its axes.
std::vector<Group> groups_of(const Sweep& sweep);

// Whether the experiment has several values of it.
bool varies(const Sweep& sweep, const std::string& axis);

std::string sweep_answer(const Sweep& sweep, const std::vector<Group>& groups);

}  // namespace spillway::page
