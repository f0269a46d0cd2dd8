#include "app/page/sweep_answer.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "app/page/standing.h"
#include "core/text.h"

namespace spillway::page {
namespace {

// Orders places by the order that the experiment file gives to the values of its axes. Values that are not in
// the file come last.
bool comes_before(const Sweep& sweep, const Place& a, const Place& b) {
  const auto rank = [&](const std::string& axis, const std::string& value) {
    for (const SweepAxis& known : sweep.axes) {
      if (known.name == axis) {
        return std::find(known.values.begin(), known.values.end(), value) - known.values.begin();
      }
    }
    return ptrdiff_t{0};
  };
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const auto first = std::pair(rank(a[i].first, a[i].second), a[i].second);
    const auto second = std::pair(rank(b[i].first, b[i].second), b[i].second);
    if (first != second) {
      return first < second;
    }
  }
  return a.size() < b.size();
}

// Returns the values of an axis in the experiment's order, or none if it has no such axis.
std::vector<std::string> values_of(const Sweep& sweep, const std::string& axis) {
  const auto found = std::find_if(sweep.axes.begin(), sweep.axes.end(),
                                  [&](const SweepAxis& one) { return one.name == axis; });
  return found == sweep.axes.end() ? std::vector<std::string>() : found->values;
}

// Points that are compared with one another.
struct Slice {
  Place at;                   // the values that all points of the slice share
  std::vector<Group> groups;  // the points; their places leave out the shared values
};

Slice slice_at(const Sweep& sweep, const std::vector<Group>& groups, const Place& at) {
  Slice slice{at, {}};
  for (Group group : groups) {
    std::erase_if(group.place, [&](const auto& part) { return values_of(sweep, part.first).size() == 1; });
    const size_t axes = group.place.size();
    std::erase_if(group.place,
                  [&](const auto& part) { return std::find(at.begin(), at.end(), part) != at.end(); });
    if (group.place.size() + at.size() == axes) {
      slice.groups.push_back(std::move(group));
    }
  }
  return slice;
}

// Returns the axes beside the one along which lines are drawn that have several values; those that tell the
// lines apart come first.
std::vector<std::string> other_axes(const Sweep& sweep) {
  std::vector<std::string> others = sweep.plot_series;
  for (const SweepAxis& axis : sweep.axes) {
    add_once(others, axis.name);
  }
  std::erase_if(others,
                [&](const std::string& axis) { return axis == sweep.plot_x || !varies(sweep, axis); });
  return others;
}

// Returns the middle value of each of the axes but the first.
Place middle_of_all_but_first(const Sweep& sweep, const std::vector<std::string>& axes) {
  Place middle;
  for (size_t i = 1; i < axes.size(); ++i) {
    const std::vector<std::string> values = values_of(sweep, axes[i]);
    middle.emplace_back(axes[i], values[values.size() / 2]);
  }
  return middle;
}

// Returns the slices that are compared. If lines are drawn along an axis, they are compared at its first,
// middle and last value, with all further axes at their middle value. Otherwise all points are one slice.
std::vector<Slice> slices_of(const Sweep& sweep, const std::vector<Group>& groups) {
  const std::vector<std::string> others = other_axes(sweep);
  if (sweep.plot_kind != "lines" || !varies(sweep, sweep.plot_x) || others.empty()) {
    return {slice_at(sweep, groups, {})};
  }
  const Place middle = middle_of_all_but_first(sweep, others);
  const std::vector<std::string> along = values_of(sweep, sweep.plot_x);
  std::vector<std::string> stops;
  for (const std::string& value : {along.front(), along[along.size() / 2], along.back()}) {
    add_once(stops, value);
  }
  std::vector<Slice> slices;
  for (const std::string& value : stops) {
    Place at = {{sweep.plot_x, value}};
    at.insert(at.end(), middle.begin(), middle.end());
    slices.push_back(slice_at(sweep, groups, at));
  }
  return slices;
}

std::string slice_sentence(const Slice& slice) {
  std::vector<const Group*> real;
  const Group* bound = nullptr;
  for (const Group& group : slice.groups) {
    if (group.speed() <= 0) {
      continue;
    }
    if (!group.is_bound()) {
      real.push_back(&group);
    } else if (bound == nullptr || group.speed() > bound->speed()) {
      bound = &group;
    }
  }
  std::string text = real.empty() ? "" : ranking_of(real);
  if (bound != nullptr) {
    text += fmt::format("{}{}, which knows the future, reaches {}", text.empty() ? "" : "; ",
                        describe(bound->place), speed_text(*bound));
  }
  if (text.empty()) {
    return "";
  }
  if (!slice.at.empty()) {
    return fmt::format("At {}: {}.", describe(slice.at), text);
  }
  text.front() = char(std::toupper(static_cast<unsigned char>(text.front())));
  return text + ".";
}

std::string sweep_sentence(const Sweep& sweep, const std::vector<Group>& groups) {
  std::string text;
  for (const Slice& slice : slices_of(sweep, groups)) {
    const std::string sentence = slice_sentence(slice);
    text += (text.empty() || sentence.empty() ? "" : "\n") + sentence;
  }
  return text.empty() ? "No run has a speed to compare." : text;
}

// Says how the speed of one line changes from the first to the last of its groups: `from 32.4 tok/s to 9.66
// tok/s (−70 %)`. Returns an empty text if it has no speed at one of the ends.
std::string change_text(const std::vector<Group>& line, const std::string& first, const std::string& last) {
  const auto at = [&](const std::string& value) {
    const auto found = std::find_if(line.begin(), line.end(),
                                    [&](const Group& group) { return group.place.front().second == value; });
    return found == line.end() || found->speed() <= 0 ? nullptr : &*found;
  };
  const Group* begin = at(first);
  const Group* end = at(last);
  if (begin == nullptr || end == nullptr) {
    return "";
  }
  const double percent = 100 * (end->speed() / begin->speed() - 1);
  const Standing standing = standing_of(*begin, *end);
  const std::string change =
      standing == Standing::apart   ? fmt::format("{}{:.0f} %", percent < 0 ? "−" : "+", std::abs(percent))
      : standing == Standing::equal ? std::string("no change")
      : standing == Standing::level
          ? std::string("within the scatter of the repetitions")
          : fmt::format("{}{:.0f} %, one run each", percent < 0 ? "−" : "+", std::abs(percent));
  return fmt::format("from {} to {} ({})", speed_text(*begin), speed_text(*end), change);
}

// Says how the speed changes along the axis of the lines, for each of the first lines, with all further axes
// at their middle value.
std::string along_sentence(const Sweep& sweep, const std::vector<Group>& groups) {
  constexpr size_t kMostLines = 4;
  const std::vector<std::string> along = values_of(sweep, sweep.plot_x);
  const std::vector<std::string> others = other_axes(sweep);
  const std::vector<std::string> lines =
      others.empty() ? std::vector<std::string>{""} : values_of(sweep, others.front());
  std::vector<std::string> changes;
  for (const std::string& line : lines) {
    Place at = middle_of_all_but_first(sweep, others);
    if (!others.empty()) {
      at.emplace_back(others.front(), line);
    }
    const std::string change = change_text(slice_at(sweep, groups, at).groups, along.front(), along.back());
    if (!change.empty() && changes.size() < kMostLines) {
      changes.push_back(others.empty() ? change : fmt::format("{} {} {}", others.front(), line, change));
    }
  }
  return changes.empty() ? ""
                         : fmt::format("From {} {} to {}: {}.", sweep.plot_x, along.front(), along.back(),
                                       join(changes, "; "));
}

// Returns the same run without prefetch, or nullptr if the sweep does not have it.
const Group* base_of(const std::vector<Group>& groups, const Group& group) {
  const auto without_prefetch = [](const Group& of) {
    auto config = of.done.front()->run->config;
    std::erase_if(config, [](const auto& entry) { return entry.first == "prefetch"; });
    return config;
  };
  for (const Group& other : groups) {
    if (other.prefetch().does_nothing && without_prefetch(other) == without_prefetch(group)) {
      return &other;
    }
  }
  return nullptr;
}

// A speedup below this factor may be noise. plots/break_even.py draws its line here too.
constexpr double kPays = 1.005;

// Says where prefetch with an oracle pays. Returns an empty text if the sweep has no oracle, or no run
// without prefetch to compare it with.
std::string break_even_sentence(const std::vector<Group>& groups) {
  size_t points = 0;
  size_t pay = 0;
  std::pair<double, const Group*> best{0, nullptr};
  std::pair<double, const Group*> worst{0, nullptr};
  for (const Group& group : groups) {
    if (!group.prefetch().knows_future) {
      continue;
    }
    const Group* base = base_of(groups, group);
    if (base == nullptr || base->speed() <= 0) {
      continue;
    }
    const double gain = group.speed() / base->speed();
    ++points;
    pay += gain > kPays ? 1 : 0;
    best = best.second == nullptr || gain > best.first ? std::pair(gain, &group) : best;
    worst = worst.second == nullptr || gain < worst.first ? std::pair(gain, &group) : worst;
  }
  if (points == 0) {
    return "";
  }
  return fmt::format(
      "Prefetch pays at {} of {} points. At best ({}), decoding is {:.3f} times as fast as without prefetch; "
      "at worst ({}), {:.3f} times.",
      pay, points, describe(best.second->place), best.first, describe(worst.second->place), worst.first);
}

}  // namespace

std::vector<Figure> Group::figures(const std::string& name) const {
  std::vector<Figure> found;
  for (const SweepPoint* point : done) {
    if (const std::optional<Figure> figure = find_figure(point->result, name)) {
      found.push_back(*figure);
    }
  }
  return found;
}

std::vector<double> Group::values(const std::string& name) const {
  std::vector<double> found;
  for (const Figure& figure : figures(name)) {
    found.push_back(figure.value);
  }
  return found;
}

double Group::speed() const {
  return median_of(values("tok_per_s"));
}

Traits Group::prefetch() const {
  return done.empty() || !done.front()->run ? Traits() : done.front()->run->traits.prefetch;
}

bool Group::is_bound() const {
  return !done.empty() && done.front()->run && knows_the_future(*done.front()->run);
}

std::vector<Group> groups_of(const Sweep& sweep) {
  std::vector<Group> groups;
  for (const SweepPoint& point : sweep.points) {
    auto found = std::find_if(groups.begin(), groups.end(),
                              [&](const Group& group) { return group.place == point.place; });
    if (found == groups.end()) {
      found = groups.insert(groups.end(), Group{point.place, {}, nullptr});
    }
    if (point.result.done) {
      found->done.push_back(&point);
    } else {
      found->missing = &point;
    }
  }
  std::sort(groups.begin(), groups.end(),
            [&](const Group& a, const Group& b) { return comes_before(sweep, a.place, b.place); });
  return groups;
}

bool varies(const Sweep& sweep, const std::string& axis) {
  return values_of(sweep, axis).size() > 1;
}

std::string sweep_answer(const Sweep& sweep, const std::vector<Group>& groups) {
  if (sweep.plot_answer == "along" && varies(sweep, sweep.plot_x)) {
    const std::string along = along_sentence(sweep, groups);
    return along.empty() ? sweep_sentence(sweep, groups) : along;
  }
  const std::string break_even = sweep.plot_kind == "surface" ? break_even_sentence(groups) : "";
  return break_even.empty() ? sweep_sentence(sweep, groups) : break_even;
}

}  // namespace spillway::page
