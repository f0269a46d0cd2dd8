#pragma once

#include <string>
#include <vector>

#include "app/page/sweep_answer.h"

// Which of several points is faster, as far as their repetitions can tell.
namespace spillway::page {

enum class Standing {
  apart,  // the speeds differ by more than the repetitions scatter, or are known without error
  equal,  // both are known without error and the same to the digits that are shown
  level,  // the interval of the difference includes none
  untold  // a single measured run each: nothing is known of the scatter
};

// Compares two speeds by the statistics of `compare`: the interval of 95 % of the factor between them.
Standing standing_of(const Group& a, const Group& b);

// Returns `25.3 tok/s`, with the range of the repetitions if there are several: `25.3 tok/s, 24.9 to 25.6`.
std::string speed_text(const Group& group);

// Returns `evict lru, cache 1GB`.
std::string describe(const Place& place);

// Says in one sentence, without a full stop, which of `groups` are fastest and slowest. Groups that cannot be
// told apart are named together. `groups` have speeds and are not empty.
std::string ranking_of(const std::vector<const Group*>& groups);

}  // namespace spillway::page
