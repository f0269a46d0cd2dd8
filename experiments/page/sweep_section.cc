#include <algorithm>
#include <set>

#include "core/text.h"
#include "experiments/page/sections.h"
#include "experiments/page/wording.h"

// What is said of a sweep.
namespace spillway::page {
namespace {

using Place = std::vector<std::pair<std::string, std::string>>;

// The repetitions of one place on the axes.
struct Group {
  Place place;
  std::vector<const RunResult*> runs;
  std::vector<std::string> errors;

  double median_speed() const {
    std::vector<double> speeds;
    for (const RunResult* run : runs) {
      speeds.push_back(run->tok_per_s);
    }
    std::sort(speeds.begin(), speeds.end());
    const size_t middle = speeds.size() / 2;
    return speeds.empty()           ? 0
           : speeds.size() % 2 == 1 ? speeds[middle]
                                    : (speeds[middle - 1] + speeds[middle]) / 2;
  }
};

// Orders places as the experiment file has the values of its axes; what it does not have comes last.
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

std::vector<Group> groups_of(const Sweep& sweep) {
  std::vector<Group> groups;
  for (const PointResult& point : sweep.points) {
    auto found = std::find_if(groups.begin(), groups.end(),
                              [&](const Group& group) { return group.place == point.place; });
    if (found == groups.end()) {
      found = groups.insert(groups.end(), Group{point.place, {}, {}});
    }
    if (point.run) {
      found->runs.push_back(&*point.run);
    } else {
      found->errors.push_back(point.error);
    }
  }
  std::sort(groups.begin(), groups.end(),
            [&](const Group& a, const Group& b) { return comes_before(sweep, a.place, b.place); });
  return groups;
}

std::set<std::string> values_of(const Sweep& sweep, const std::string& axis) {
  std::set<std::string> values;
  for (const PointResult& point : sweep.points) {
    for (const auto& [name, value] : point.place) {
      if (name == axis) {
        values.insert(value);
      }
    }
  }
  return values;
}

bool varies(const Sweep& sweep, const std::string& axis) {
  return values_of(sweep, axis).size() > 1;
}

std::string describe(const Place& place) {
  std::string text;
  for (const auto& [axis, value] : place) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", axis, value);
  }
  return text.empty() ? "the only point" : text;
}

// The fastest or the slowest of those for which `wanted` holds.
template <class Wanted>
const Group* extreme(const std::vector<Group>& groups, bool fastest, Wanted wanted) {
  const Group* found = nullptr;
  for (const Group& group : groups) {
    if (!group.runs.empty() && wanted(*group.runs.front()) &&
        (found == nullptr || (group.median_speed() > found->median_speed()) == fastest)) {
      found = &group;
    }
  }
  return found;
}

std::string sweep_sentence(const std::vector<Group>& groups) {
  const auto real = [](const RunResult& run) { return !knows_the_future(run); };
  const Group* bound = extreme(groups, true, knows_the_future);
  const Group* best = extreme(groups, true, real);
  const Group* worst = extreme(groups, false, real);
  if (best == nullptr) {
    return bound == nullptr ? "No run was finished."
                            : fmt::format("{} reaches {} tokens per second, and knows the future.",
                                          describe(bound->place), tok_per_s_text(bound->median_speed()));
  }
  std::string text = fmt::format("Fastest is {}: {} tokens per second", describe(best->place),
                                 tok_per_s_text(best->median_speed()));
  if (worst != best && worst->median_speed() > 0) {
    text += fmt::format(", {:.3g} times as many as the slowest, {} ({})",
                        best->median_speed() / worst->median_speed(), describe(worst->place),
                        tok_per_s_text(worst->median_speed()));
  }
  text += ".";
  if (bound != nullptr && bound->median_speed() > best->median_speed()) {
    text += fmt::format(" A bound that knows the future, {}, reaches {}.", describe(bound->place),
                        tok_per_s_text(bound->median_speed()));
  }
  return text;
}

// What the runs of two groups have in common, or differ in, but for their prefetchers.
std::vector<std::pair<std::string, std::string>> without_prefetch(const RunResult& run) {
  std::vector<std::pair<std::string, std::string>> config = run.config;
  std::erase_if(config, [](const auto& entry) { return entry.first == "prefetch"; });
  return config;
}

// The same run without prefetch, if the sweep has it.
const Group* base_of(const std::vector<Group>& groups, const Group& group) {
  for (const Group& other : groups) {
    if (!other.runs.empty() && other.runs.front()->config_value("prefetch") == "none" &&
        without_prefetch(*other.runs.front()) == without_prefetch(*group.runs.front())) {
      return &other;
    }
  }
  return nullptr;
}

// Of a sweep over oracles: where they pay. Nothing where there is none, or nothing to compare it with.
std::string break_even_sentence(const std::vector<Group>& groups) {
  size_t points = 0;
  size_t pay = 0;
  std::pair<double, const Group*> best{0, nullptr};
  std::pair<double, const Group*> worst{0, nullptr};
  for (const Group& group : groups) {
    if (group.runs.empty() || !group.runs.front()->config_value("prefetch").starts_with("oracle")) {
      continue;
    }
    const Group* base = base_of(groups, group);
    if (base == nullptr || base->median_speed() <= 0) {
      continue;
    }
    const double gain = group.median_speed() / base->median_speed();
    ++points;
    pay += gain > 1 ? 1 : 0;
    best = best.second == nullptr || gain > best.first ? std::pair(gain, &group) : best;
    worst = worst.second == nullptr || gain < worst.first ? std::pair(gain, &group) : worst;
  }
  if (points == 0) {
    return "";
  }
  return fmt::format(
      "Prefetch pays at {} of {} points. At best, {}, it makes decoding {:.3f} times as fast as without it; "
      "at "
      "worst, {}, {:.3f} times.",
      pay, points, describe(best.second->place), best.first, describe(worst.second->place), worst.first);
}

std::vector<std::string> sweep_cautions(const Sweep& sweep, const std::vector<Group>& groups) {
  std::vector<std::string> cautions;
  const auto without_run = size_t(std::count_if(sweep.points.begin(), sweep.points.end(),
                                                [](const PointResult& point) { return !point.run; }));
  if (without_run > 0) {
    cautions.push_back(fmt::format("{} of {} runs failed.", without_run, sweep.points.size()));
  }
  size_t warm = 0;
  for (const Group& group : groups) {
    for (const RunResult* run : group.runs) {
      for (const std::string& caution : cautions_of(*run)) {
        warm += caution.starts_with("Not cold") ? 1 : 0;
      }
    }
  }
  if (warm > 0) {
    cautions.push_back(fmt::format("{} of {} runs were not cold; the column “from RAM” has their shares.",
                                   warm, sweep.points.size()));
  }
  return cautions;
}

std::vector<Cell> row_of(const Group& group, bool repeated, bool from_ram) {
  std::vector<Cell> row;
  for (const auto& [axis, value] : group.place) {
    row.push_back({value});
  }
  if (group.runs.empty()) {
    row.push_back({"failed: " + (group.errors.empty() ? std::string() : group.errors.front())});
    return row;
  }
  const RunResult& first = *group.runs.front();
  row.push_back(number(tok_per_s_text(group.median_speed())));
  if (repeated) {
    const auto [low, high] = std::minmax_element(
        group.runs.begin(), group.runs.end(),
        [](const RunResult* a, const RunResult* b) { return a->tok_per_s < b->tok_per_s; });
    row.push_back(number(
        fmt::format("{} to {}", tok_per_s_text((*low)->tok_per_s), tok_per_s_text((*high)->tok_per_s))));
  }
  row.push_back(number(percent_text(first.hit_ratio)));
  row.push_back(number(format_duration(first.p50)));
  row.push_back(number(format_duration(first.p99)));
  row.push_back(number(format_bytes(uint64_t(first.missed_bytes_per_token))));
  if (from_ram) {
    row.push_back(number(first.from_ram_share ? percent_text(*first.from_ram_share) : "–"));
  }
  return row;
}

Table sweep_table(const std::vector<Group>& groups) {
  constexpr size_t kMostRows = 200;
  Table table;
  bool repeated = false;
  bool from_ram = false;
  for (const Group& group : groups) {
    repeated = repeated || group.runs.size() > 1;
    from_ram = from_ram || (!group.runs.empty() && group.runs.front()->from_ram_share.has_value());
  }
  for (const auto& [axis, value] : groups.front().place) {
    table.head.push_back({axis});
  }
  table.head.push_back(number("tok/s"));
  if (repeated) {
    table.head.push_back(number("range"));
  }
  for (const char* name : {"hits", "p50", "p99", "missed a token"}) {
    table.head.push_back(number(name));
  }
  if (from_ram) {
    table.head.push_back(number("from RAM"));
  }
  for (const Group& group : groups) {
    if (table.rows.size() < kMostRows) {
      table.rows.push_back(row_of(group, repeated, from_ram));
    }
  }
  if (repeated) {
    table.note =
        "tok/s is the median of the repetitions; what stands behind the range is of the first of them.";
  }
  if (groups.size() > kMostRows) {
    table.note += fmt::format(" {} more points are in the folder.", groups.size() - kMostRows);
  }
  return table;
}

// Which script draws this sweep, and what it is told: what the experiment file says, or what its axes are.
struct Drawing {
  std::string script;
  std::vector<std::string> options;
  std::string caption;
};

Drawing drawing_of(const Sweep& sweep) {
  const std::string y = sweep.plot_y.empty() ? "tok_per_s" : sweep.plot_y.front();
  const bool has_oracle = std::any_of(sweep.points.begin(), sweep.points.end(), [](const PointResult& point) {
    return point.run && point.run->config_value("prefetch").starts_with("oracle");
  });
  std::set<double> drives;
  for (const PointResult& point : sweep.points) {
    if (point.run && point.run->simulated && point.run->drive_bytes_per_s) {
      drives.insert(*point.run->drive_bytes_per_s);
    }
  }
  std::string kind = sweep.plot_kind;
  if (kind.empty()) {
    kind = has_oracle ? "surface"
           : varies(sweep, "cache") && drives.size() > 2 && !sweep.points.empty() &&
                   sweep.points.front().place.size() == 2
               ? "heatmap"
           : varies(sweep, "cache") ? "lines"
                                    : "bars";
  }
  if (kind == "surface") {
    return {"break_even",
            {},
            "Tokens per second relative to the same run without prefetch; the line is where it pays."};
  }
  if (kind == "heatmap") {
    return {"ram_ssd_heatmap", {}, "Tokens per second by RAM and drive; along a line they are the same."};
  }
  if (kind == "cdf") {
    return {"latency_cdf", {}, "The share of tokens that took no longer than a time."};
  }
  if (kind == "bars") {
    return {"sweep_bars", {"--y", y}, "The median of the repetitions, and their range; the best on top."};
  }
  std::vector<std::string> options = {"--y", y, "--x", sweep.plot_x.empty() ? "cache" : sweep.plot_x};
  if (!sweep.plot_series.empty()) {
    options.insert(options.end(), {"--series", sweep.plot_series});
  }
  return {"sweep_lines", options, "The median of the repetitions, and their range."};
}

}  // namespace

Section sweep_section(const Sweep& sweep, FigureMaker& figures) {
  const std::vector<Group> groups = groups_of(sweep);
  Section section;
  section.question =
      sweep.question.empty() ? fmt::format("What came of {}?", file_name(sweep.folder)) : sweep.question;
  const std::string break_even = break_even_sentence(groups);
  section.answer = break_even.empty() ? sweep_sentence(groups) : break_even;
  section.cautions = sweep_cautions(sweep, groups);
  std::vector<std::string> files;
  std::vector<const Origin*> origins;
  for (const PointResult& point : sweep.points) {
    if (point.run) {
      files.push_back(point.path);
      origins.push_back(&point.run->origin);
    }
  }
  if (!files.empty()) {
    const Drawing drawing = drawing_of(sweep);
    place_figure(figures.draw(drawing.script, files, drawing.options), drawing.caption, section);
  }
  section.table = sweep_table(groups);
  if (!sweep.about.empty()) {
    section.facts.push_back(sweep.about);
  }
  const std::vector<std::string> facts = facts_of(origins);
  section.facts.insert(section.facts.end(), facts.begin(), facts.end());
  for (const PointResult& point : sweep.points) {
    add_once(section.commands, point.command);
  }
  return section;
}

}  // namespace spillway::page
