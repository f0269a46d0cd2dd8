#include <algorithm>
#include <map>
#include <set>

#include "app/page/sections.h"
#include "app/page/sweep_answer.h"
#include "app/page/wording.h"
#include "app/report/report.h"
#include "core/text.h"

// The section on a sweep.
namespace spillway::page {
namespace {

// Returns a text without its numbers, so that warnings that differ only in numbers are equal.
std::string without_numbers(const std::string& text) {
  std::string left;
  std::copy_if(text.begin(), text.end(), std::back_inserter(left),
               [](char c) { return (c < '0' || c > '9') && c != '.'; });
  return left;
}

// Says how many runs of the sweep failed or were not available; an empty text if all were done.
std::string missing_text(const Sweep& sweep) {
  std::vector<PointResult> results;
  for (const SweepPoint& point : sweep.points) {
    results.push_back(point.result);
  }
  return describe_missing(results);
}

// Returns the warnings of all runs. A warning that several runs share appears once, in the words of the
// first run.
std::vector<std::string> sweep_cautions(const Sweep& sweep) {
  struct Said {
    std::string first;
    std::set<std::string> texts;
    size_t runs = 0;
  };
  std::map<std::string, Said> all;
  for (const SweepPoint& point : sweep.points) {
    for (const std::string& caution : point.run ? cautions_of(*point.run) : std::vector<std::string>()) {
      Said& said = all[without_numbers(caution)];
      said.first = said.runs == 0 ? caution : said.first;
      said.texts.insert(caution);
      ++said.runs;
    }
  }
  std::vector<std::string> cautions;
  if (const std::string missing = missing_text(sweep); !missing.empty()) {
    cautions.push_back(missing + ".");
  }
  for (const auto& [text, said] : all) {
    cautions.push_back(fmt::format("{} of {} runs{}: {}", said.runs, sweep.points.size(),
                                   said.texts.size() > 1 ? ", with other figures" : "", said.first));
  }
  return cautions;
}

// A table column that shows one figure.
struct Column {
  std::string figure;
  std::string title;
};

// The columns that are shown if a result has the figure.
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

// The titles of figures that are shown only on request. Any other figure has its name as the title.
const std::map<std::string, std::string> kTitles = {{"p95_ns", "p95"},
                                                    {"max_ns", "slowest"},
                                                    {"stall_ns_per_token", "stall a token"},
                                                    {"prefetched_bytes_per_token", "prefetched a token"},
                                                    {"wasted_bytes_per_token", "prefetched in vain a token"},
                                                    {"prefill_ns", "prefill"},
                                                    {"read_bytes", "read"},
                                                    {"stolen_share", "stolen"},
                                                    {"cpu_s", "CPU"},
                                                    {"drive_bytes_per_s", "drive"},
                                                    {"peak_memory_bytes", "peak memory"}};

std::vector<Column> columns_of(const std::vector<std::string>& asked, const std::vector<Group>& groups) {
  std::vector<Column> columns = kUsual;
  for (const std::string& figure : asked) {
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

// Writes a figure. A share from RAM is below 0 if read-ahead made the device deliver more than was requested.
std::string figure_text(double value, Unit unit) {
  return unit == Unit::tok_per_s            ? tok_per_s_text(value)
         : unit == Unit::share && value < 0 ? "none"
         : unit == Unit::share              ? percent_text(value)
                                            : format_figure(value, unit);
}

std::vector<Cell> row_of(const Group& group, const std::vector<Column>& columns, bool repeated) {
  std::vector<Cell> row;
  for (const auto& [axis, value] : group.place) {
    row.push_back({value});
  }
  if (group.done.empty()) {
    row.push_back({group.missing->result.unavailable ? "not available" : "failed"});
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
  std::vector<std::string> asked = sweep.plot_y;
  if (std::any_of(sweep.points.begin(), sweep.points.end(), [](const SweepPoint& point) {
        return point.run && is_disturbed(point.run->stolen_share);
      })) {
    add_once(asked, "stolen_share");
  }
  const std::vector<Column> columns = columns_of(asked, groups);
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
  std::vector<std::string> reasons;
  for (const Group& group : groups) {
    if (group.done.empty()) {
      const PointResult& result = group.missing->result;
      add_once(reasons, fmt::format("{}: {}", result.unavailable ? "Not available" : "Failed", result.error));
    }
  }
  for (const std::string& reason : reasons) {
    table.note += (table.note.empty() ? "" : " ") + reason + ".";
  }
  if (groups.size() > kMostRows) {
    table.note += fmt::format(" {} more points are in the folder.", groups.size() - kMostRows);
  }
  return table;
}

// The script that draws a sweep, and its options. The experiment file chooses the script, or else the
// axes do.
struct Drawing {
  std::string script;
  std::vector<std::string> options;
  std::string caption;
};

Drawing drawing_of(const Sweep& sweep) {
  const bool is_repeated = std::any_of(sweep.points.begin(), sweep.points.end(),
                                       [](const SweepPoint& point) { return point.result.repetition > 1; });
  const std::string repeated = is_repeated ? "Medians of the repetitions, and their range. " : "";
  const std::string y = sweep.plot_y.empty() ? "tok_per_s" : sweep.plot_y.front();
  const bool has_oracle = std::any_of(sweep.points.begin(), sweep.points.end(), [](const SweepPoint& point) {
    return point.run && point.run->traits.prefetch.knows_future;
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
    return {
        "break_even",
        {},
        "Tokens per second relative to the same run without prefetch. Prefetch begins to pay at the line."};
  }
  if (kind == "heatmap") {
    return {
        "ram_ssd_heatmap", {}, "Tokens per second by RAM and drive. Points on a line have the same speed."};
  }
  if (kind == "cdf") {
    return {"latency_cdf", {}, "The share of tokens that took at most the given time."};
  }
  if (kind == "bars") {
    return {"sweep_bars", {"--y", y}, repeated + "The best is on top."};
  }
  std::vector<std::string> options = {"--y", y, "--x", sweep.plot_x.empty() ? "cache" : sweep.plot_x};
  if (!sweep.plot_series.empty()) {
    options.insert(options.end(), {"--series", join(sweep.plot_series, ",")});
  }
  return {"sweep_lines", options, repeated};
}

std::string question_of(const Sweep& sweep) {
  return sweep.question.empty() ? fmt::format("What did {} show?", file_name(sweep.folder)) : sweep.question;
}

}  // namespace

std::optional<std::string> why_unanswered(const Sweep& sweep) {
  if (std::any_of(sweep.points.begin(), sweep.points.end(),
                  [](const SweepPoint& point) { return point.result.done; })) {
    return std::nullopt;
  }
  const PointResult& first = sweep.points.front().result;
  return fmt::format("{} ({}: {})", question_of(sweep), first.unavailable ? "not available here" : "failed",
                     first.error);
}

Section sweep_section(const Sweep& sweep, FigureMaker& figures) {
  const std::vector<Group> groups = groups_of(sweep);
  Section section;
  section.question = question_of(sweep);
  section.answer = sweep_answer(sweep, groups);
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
    section.facts.emplace_back("Calculated, not measured.");
  }
  const bool simulated = std::any_of(sweep.points.begin(), sweep.points.end(), [](const SweepPoint& point) {
    return point.run && point.run->simulated;
  });
  section.source = worked_out ? "Calculated, not measured" : source_of(origins, simulated);
  if (const std::string missing = missing_text(sweep); !missing.empty()) {
    section.source += (section.source.empty() ? "" : "; ") + missing;
  }
  const std::vector<std::string> facts = facts_of(origins);
  section.facts.insert(section.facts.end(), facts.begin(), facts.end());
  for (const SweepPoint& point : sweep.points) {
    add_once(section.commands, point.command);
  }
  return section;
}

}  // namespace spillway::page
