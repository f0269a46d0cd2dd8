#include "app/page/standing.h"

#include <algorithm>
#include <cmath>

#include "app/page/wording.h"
#include "core/text.h"
#include "sim/difference.h"

namespace spillway::page {
namespace {

constexpr double kConfidence = 0.95;

// The speeds of a group as logarithms, whose differences are factors.
struct Speeds {
  std::vector<double> logarithms;
  bool known = true;
};

Speeds speeds_of(const Group& group) {
  Speeds speeds;
  for (const Figure& figure : group.figures("tok_per_s")) {
    speeds.logarithms.push_back(std::log(std::max(figure.value, 1e-9)));
    speeds.known = speeds.known && figure.known;
  }
  return speeds;
}

using Groups = std::vector<const Group*>;

// Returns the groups of `groups` that cannot be told apart from `from`, itself among them and first.
Groups level_with(const Group& from, const Groups& groups) {
  Groups level = {&from};
  for (const Group* group : groups) {
    if (group != &from && standing_of(from, *group) != Standing::apart) {
      level.push_back(group);
    }
  }
  return level;
}

bool all_equal(const Groups& groups) {
  return std::all_of(groups.begin() + 1, groups.end(), [&](const Group* group) {
    return standing_of(*groups.front(), *group) == Standing::equal;
  });
}

// Returns true if the places of all groups are values of one and the same axis, whose name is then said once.
bool on_one_axis(const Groups& groups) {
  return std::all_of(groups.begin(), groups.end(), [&](const Group* group) {
    return group->place.size() == 1 && group->place.front().first == groups.front()->place.front().first;
  });
}

// Lists the names of the groups, with their speeds if these differ.
std::string names_of(const Groups& groups, bool with_speeds) {
  constexpr size_t kMost = 4;
  const bool once = !groups.front()->place.empty() && on_one_axis(groups);
  std::vector<std::string> names;
  for (size_t i = 0; i < std::min(groups.size(), kMost); ++i) {
    const Place& place = groups[i]->place;
    const std::string name = once && i > 0 ? place.front().second : describe(place);
    names.push_back(with_speeds ? fmt::format("{} ({})", name, speed_text(*groups[i])) : name);
  }
  if (groups.size() > kMost) {
    names.push_back(fmt::format("{} more", groups.size() - kMost));
  }
  const std::string last = names.back();
  names.pop_back();
  return names.empty() ? last : join(names, once ? ", " : "; ") + " and " + last;
}

// Names the groups at one end: `fastest is lru (29.5 tok/s)`.
std::string end_text(const std::string& end, const Groups& groups) {
  if (groups.size() == 1) {
    return fmt::format("{} is {}", end, names_of(groups, true));
  }
  if (all_equal(groups)) {
    return fmt::format("{} are {} ({} each)", end, names_of(groups, false), speed_text(*groups.front()));
  }
  return fmt::format("{} are {}, which cannot be told apart", end, names_of(groups, true));
}

// The sentence about groups none of which can be told apart from the fastest.
std::string undecided(const Group& best, const Group& worst, const Groups& groups) {
  if (all_equal(groups)) {
    constexpr size_t kMostNamed = 4;
    return fmt::format(
        "{} have the same speed ({})",
        groups.size() > kMostNamed ? fmt::format("all {} points", groups.size()) : names_of(groups, false),
        speed_text(best));
  }
  const bool untold = std::any_of(groups.begin(), groups.end(), [&](const Group* group) {
    return group != &best && standing_of(best, *group) == Standing::untold;
  });
  return fmt::format("{}: {} had the most, {} the least",
                     untold ? "which is fastest is not known, with one run each"
                            : "the repetitions are too few or scatter too much to tell which is fastest",
                     names_of({&best}, true), names_of({&worst}, true));
}

}  // namespace

Standing standing_of(const Group& a, const Group& b) {
  const Speeds of_a = speeds_of(a);
  const Speeds of_b = speeds_of(b);
  if (of_a.known && of_b.known && tok_per_s_text(a.speed()) == tok_per_s_text(b.speed())) {
    return Standing::equal;
  }
  const Difference difference =
      difference_of({of_a.logarithms, of_a.known}, {of_b.logarithms, of_b.known}, false, kConfidence);
  if (!difference.interval) {
    return Standing::untold;
  }
  return difference.interval->low > 0 || difference.interval->high < 0 ? Standing::apart : Standing::level;
}

std::string speed_text(const Group& group) {
  const std::vector<double> values = group.values("tok_per_s");
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const std::string range =
      *low == *high ? "" : fmt::format(", {} to {}", tok_per_s_text(*low), tok_per_s_text(*high));
  return fmt::format("{} tok/s{}", tok_per_s_text(group.speed()), range);
}

std::string describe(const Place& place) {
  std::string text;
  for (const auto& [axis, value] : place) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", axis, value);
  }
  return text.empty() ? "the only point" : text;
}

std::string ranking_of(const Groups& groups) {
  const auto slower = [](const Group* a, const Group* b) { return a->speed() < b->speed(); };
  // Of equally fast groups, the first in the experiment's order is named first.
  const Group& best = **std::max_element(groups.begin(), groups.end(), slower);
  const Group& worst = **std::min_element(groups.begin(), groups.end(), slower);
  if (groups.size() == 1) {
    return fmt::format("{} has {}", describe(best.place), speed_text(best));
  }
  Groups top = level_with(best, groups);
  std::stable_sort(top.begin(), top.end(), [&](const Group* a, const Group* b) { return slower(b, a); });
  if (top.size() == groups.size()) {
    return undecided(best, worst, groups);
  }
  Groups rest = groups;
  std::erase_if(rest,
                [&](const Group* group) { return std::find(top.begin(), top.end(), group) != top.end(); });
  const Group& last = **std::min_element(rest.begin(), rest.end(), slower);
  return end_text("fastest", top) + ", " + end_text("slowest", level_with(last, rest));
}

}  // namespace spillway::page
