#include <algorithm>
#include <map>
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
  std::vector<const SweepPoint*> done;
  const SweepPoint* missing = nullptr;  // one that was not done

  // Of all repetitions; none where no result has the figure.
  std::vector<Figure> figures(const std::string& name) const {
    std::vector<Figure> found;
    for (const SweepPoint* point : done) {
      if (const std::optional<Figure> figure = find_figure(point->result, name)) {
        found.push_back(*figure);
      }
    }
    return found;
  }

  std::vector<double> values(const std::string& name) const {
    std::vector<double> found;
    for (const Figure& figure : figures(name)) {
      found.push_back(figure.value);
    }
    return found;
  }

  double speed() const { return median_of(values("tok_per_s")); }  // 0: there is none

  const RunResult* run() const { return done.empty() || !done.front()->run ? nullptr : &*done.front()->run; }

  std::string config(const std::string& key) const {
    return run() == nullptr ? std::string() : run()->config_value(key);
  }

  bool is_bound() const { return run() != nullptr && knows_the_future(*run()); }
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

std::set<std::string> values_of(const Sweep& sweep, const std::string& axis) {
  std::set<std::string> values;
  for (const SweepPoint& point : sweep.points) {
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
    if (group.speed() > 0 && wanted(group) &&
        (found == nullptr || (group.speed() > found->speed()) == fastest)) {
      found = &group;
    }
  }
  return found;
}

std::string sweep_sentence(const std::vector<Group>& groups) {
  const auto real = [](const Group& group) { return !group.is_bound(); };
  const Group* bound = extreme(groups, true, [](const Group& group) { return group.is_bound(); });
  const Group* best = extreme(groups, true, real);
  const Group* worst = extreme(groups, false, real);
  if (best == nullptr) {
    return bound == nullptr ? "No run has a speed to compare."
                            : fmt::format("{} reaches {} tokens per second, and knows the future.",
                                          describe(bound->place), tok_per_s_text(bound->speed()));
  }
  std::string text = fmt::format("Fastest is {}: {} tokens per second", describe(best->place),
                                 tok_per_s_text(best->speed()));
  if (worst != best) {
    text += fmt::format(", {:.3g} times as many as the slowest, {} ({})", best->speed() / worst->speed(),
                        describe(worst->place), tok_per_s_text(worst->speed()));
  }
  text += ".";
  if (bound != nullptr && bound->speed() > best->speed()) {
    text += fmt::format(" A bound that knows the future, {}, reaches {}.", describe(bound->place),
                        tok_per_s_text(bound->speed()));
  }
  return text;
}

// The same run without prefetch, if the sweep has it.
const Group* base_of(const std::vector<Group>& groups, const Group& group) {
  const auto without_prefetch = [](const Group& of) {
    auto config = of.run()->config;
    std::erase_if(config, [](const auto& entry) { return entry.first == "prefetch"; });
    return config;
  };
  for (const Group& other : groups) {
    if (other.config("prefetch") == "none" && without_prefetch(other) == without_prefetch(group)) {
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
    if (!group.config("prefetch").starts_with("oracle")) {
      continue;
    }
    const Group* base = base_of(groups, group);
    if (base == nullptr || base->speed() <= 0) {
      continue;
    }
    const double gain = group.speed() / base->speed();
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

std::vector<std::string> sweep_cautions(const Sweep& sweep) {
  std::vector<std::string> cautions;
  std::vector<PointResult> results;
  size_t warm = 0;
  for (const SweepPoint& point : sweep.points) {
    results.push_back(point.result);
    for (const std::string& caution : point.run ? cautions_of(*point.run) : std::vector<std::string>()) {
      warm += caution.starts_with("Not cold") ? 1 : 0;
    }
  }
  if (const std::string missing = describe_missing(results); !missing.empty()) {
    cautions.push_back(missing + ".");
  }
  if (warm > 0) {
    cautions.push_back(fmt::format("{} of {} runs were not cold; the column “from RAM” has their shares.",
                                   warm, sweep.points.size()));
  }
  return cautions;
}

// A figure of results as a column.
struct Column {
  std::string figure;
  std::string title;
};

// What is shown where there is some of it.
const std::vector<Column> kUsual = {{"tok_per_s", "tok/s"},
                                    {"tok_per_s_low", "low"},
                                    {"tok_per_s_high", "high"},
                                    {"hit_ratio", "hits"},
                                    {"p50_ns", "p50"},
                                    {"p99_ns", "p99"},
                                    {"missed_bytes_per_token", "missed a token"},
                                    {"cache_bytes", "for experts"},
                                    {"context_bytes", "for the context"},
                                    {"from_ram_share", "from RAM"}};

// And where the experiment asks for it. Others are called as in the file.
const std::map<std::string, std::string> kTitles = {{"p95_ns", "p95"},
                                                    {"max_ns", "slowest"},
                                                    {"stall_ns_per_token", "stall a token"},
                                                    {"prefetched_bytes_per_token", "prefetched a token"},
                                                    {"wasted_bytes_per_token", "of it for nothing"},
                                                    {"prefill_ns", "prefill"},
                                                    {"read_bytes", "read"},
                                                    {"cpu_s", "CPU"},
                                                    {"drive_bytes_per_s", "drive"},
                                                    {"peak_memory_bytes", "peak memory"}};

std::vector<Column> columns_of(const Sweep& sweep, const std::vector<Group>& groups) {
  std::vector<Column> columns = kUsual;
  for (const std::string& figure : sweep.plot_y) {
    const auto is_it = [&](const Column& column) { return column.figure == figure; };
    if (std::none_of(columns.begin(), columns.end(), is_it)) {
      const auto title = kTitles.find(figure);
      columns.push_back({figure, title == kTitles.end() ? figure : title->second});
    }
  }
  std::erase_if(columns, [&](const Column& column) {
    return std::all_of(groups.begin(), groups.end(),
                       [&](const Group& group) { return group.figures(column.figure).empty(); });
  });
  return columns;
}

std::string figure_text(double value, Unit unit) {
  return unit == Unit::tok_per_s ? tok_per_s_text(value)
         : unit == Unit::share   ? percent_text(value)
                                 : format_figure(value, unit);
}

std::vector<Cell> row_of(const Group& group, const std::vector<Column>& columns, bool repeated) {
  std::vector<Cell> row;
  for (const auto& [axis, value] : group.place) {
    row.push_back({value});
  }
  if (group.done.empty()) {
    const PointResult& result = group.missing->result;
    row.push_back({(result.unavailable ? "not available: " : "failed: ") + result.error});
    return row;
  }
  for (const Column& column : columns) {
    const std::vector<Figure> figures = group.figures(column.figure);
    const std::vector<double> values = group.values(column.figure);
    row.push_back(number(figures.empty() ? "–" : figure_text(median_of(values), figures.front().unit)));
    if (repeated && column.figure == "tok_per_s") {
      const auto [low, high] = std::minmax_element(values.begin(), values.end());
      row.push_back(number(
          values.empty() ? "–" : fmt::format("{} to {}", tok_per_s_text(*low), tok_per_s_text(*high))));
    }
  }
  return row;
}

Table sweep_table(const Sweep& sweep, const std::vector<Group>& groups) {
  constexpr size_t kMostRows = 200;
  Table table;
  const std::vector<Column> columns = columns_of(sweep, groups);
  const bool repeated =
      std::any_of(groups.begin(), groups.end(), [](const Group& group) { return group.done.size() > 1; });
  for (const auto& [axis, value] : groups.front().place) {
    table.head.push_back({axis});
  }
  for (const Column& column : columns) {
    table.head.push_back(number(column.title));
    if (repeated && column.figure == "tok_per_s") {
      table.head.push_back(number("range"));
    }
  }
  for (const Group& group : groups) {
    if (table.rows.size() < kMostRows) {
      table.rows.push_back(row_of(group, columns, repeated));
    }
  }
  table.note = repeated ? "Medians of the repetitions." : "";
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
  const bool has_oracle = std::any_of(sweep.points.begin(), sweep.points.end(), [](const SweepPoint& point) {
    return point.run && point.run->config_value("prefetch").starts_with("oracle");
  });
  std::set<double> drives;
  for (const SweepPoint& point : sweep.points) {
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
    options.insert(options.end(), {"--series", join(sweep.plot_series, ",")});
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
  section.cautions = sweep_cautions(sweep);
  std::vector<std::string> files;
  std::vector<const Origin*> origins;
  bool worked_out = false;
  for (const SweepPoint& point : sweep.points) {
    if (point.result.done) {
      files.push_back(point.path);
      worked_out = worked_out || !point.run;
    }
    if (point.run) {
      origins.push_back(&point.run->origin);
    }
  }
  if (!files.empty()) {
    const Drawing drawing = drawing_of(sweep);
    place_figure(figures.draw(drawing.script, files, drawing.options), drawing.caption, section);
  }
  section.table = sweep_table(sweep, groups);
  if (!sweep.about.empty()) {
    section.facts.push_back(sweep.about);
  }
  if (worked_out) {
    section.facts.emplace_back("Worked out, not run.");
  }
  const std::vector<std::string> facts = facts_of(origins);
  section.facts.insert(section.facts.end(), facts.begin(), facts.end());
  for (const SweepPoint& point : sweep.points) {
    add_once(section.commands, point.command);
  }
  return section;
}

}  // namespace spillway::page
