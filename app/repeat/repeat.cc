#include "app/repeat/repeat.h"

#include <algorithm>

#include "app/cli/printable.h"
#include "app/cli/progress.h"
#include "app/repeat/run_table.h"
#include "core/json.h"
#include "core/text.h"

namespace spillway {
namespace {

// Returns every combination of the listed values: the last option varies fastest.
std::vector<std::vector<std::string>> combinations(const ListedOptions& listed) {
  std::vector<std::vector<std::string>> all = {{}};
  for (const ListedOption& option : listed) {
    std::vector<std::vector<std::string>> longer;
    for (const std::vector<std::string>& begun : all) {
      for (const std::string& value : option.values) {
        longer.push_back(begun);
        longer.back().push_back(value);
      }
    }
    all = std::move(longer);
  }
  return all;
}

// The runs of one command.
class Repetition {
 public:
  Repetition(const RepeatOptions& options, RunOptions& run, FunctionRef<Result<Report>(Composition&)> once)
      : options_(options), run_(run), once_(once), values_(combinations(options.listed)) {}

  // Opens the trace and refuses combinations that cannot run.
  Result<void> prepare() {
    Result<OpenTrace> trace = open_trace(run_.trace, run_.tokens);
    if (!trace) {
      return propagate(trace);
    }
    trace_ = std::make_unique<OpenTrace>(std::move(*trace));
    for (const std::vector<std::string>& values : values_) {
      points.emplace_back(place_of(values));
      choose(values);
      Result<Composition> parts = compose(run_, std::move(trace_));
      if (!parts) {
        return propagate(parts);
      }
      trace_ = std::move(parts->trace);
    }
    return {};
  }

  // Makes all runs, or those before the first that fails or is interrupted.
  Result<void> run_all() {
    const uint64_t seed = run_.seed;
    for (uint32_t repetition = 0; repetition < options_.runs; ++repetition) {
      run_.seed = seed + repetition;
      for (size_t i = 0; i < points.size(); ++i) {
        if (Result<void> ran = run_one(i, repetition * points.size() + i); !ran) {
          return ran;
        }
      }
    }
    return {};
  }

  std::vector<RepeatedPoint> points;
  std::vector<std::string> warnings;

 private:
  RepeatedPoint::Place place_of(const std::vector<std::string>& values) const {
    RepeatedPoint::Place place;
    for (size_t i = 0; i < values.size(); ++i) {
      if (options_.listed[i].values.size() > 1) {
        place.emplace_back(options_.listed[i].name, values[i]);
      }
    }
    return place;
  }

  // Gives the run's options the values, which were all read before.
  void choose(const std::vector<std::string>& values) {
    for (size_t i = 0; i < values.size(); ++i) {
      static_cast<void>(options_.listed[i].read(values[i]));
    }
  }

  Result<void> run_one(size_t index, size_t before) {
    choose(values_[index]);
    Result<Composition> parts = compose(run_, std::move(trace_));
    if (!parts) {
      return propagate(parts);
    }
    Result<Report> report = once_(*parts);
    trace_ = std::move(parts->trace);
    const size_t all = points.size() * options_.runs;
    const std::string name = printable(describe_place(points[index].place()));
    if (!report) {
      return Unexpected(
          Error{report.error().kind, fmt::format("run {} of {}{}{}: {}", before + 1, all,
                                                 name.empty() ? "" : ", ", name, report.error().message)});
    }
    if (report->interrupted) {
      return failed("interrupted in run {} of {}; the table covers the runs before it", before + 1, all);
    }
    for (const std::string& warning : report->warnings) {
      add_once(warnings, warning);
    }
    points[index].add(*report);
    note("spillway: run {} of {}{}{}: {:.2f} tok/s{}\n", before + 1, all, name.empty() ? "" : ", ", name,
         achieved_tok_per_s(*report), is_disturbed(*report) ? ", disturbed" : "");
    return {};
  }

  const RepeatOptions& options_;
  RunOptions& run_;
  FunctionRef<Result<Report>(Composition&)> once_;
  std::vector<std::vector<std::string>> values_;
  std::unique_ptr<OpenTrace> trace_;
};

// Prints the table, and what has to be known to read it.
void print_table(const RunTable& table, const std::string& format, const std::vector<std::string>& warnings) {
  fmt::print("{}", to_text(table, format));
  const bool disturbed = std::any_of(table.points.begin(), table.points.end(),
                                     [](const RepeatedPoint& point) { return point.disturbed() > 0; });
  if (disturbed) {
    note(
        "spillway: disturbed: the machine's host took processor time during the run; run again on a quieter "
        "machine, or more often (--runs)\n");
  }
  for (const std::string& warning : warnings) {
    note("spillway: warning: {}\n", printable(warning));
  }
}

}  // namespace

const char* const kListedHelp =
    "Several values of --cache, --evict, --prefetch and --backend, comma-separated, make a run of every\n"
    "combination; --runs repeats them in turn, and one table shows all with 95 % intervals. A comma also\n"
    "separates the options of a plug-in: key=value belongs to the plug-in before it, and so does a word "
    "that\n"
    "is no plug-in's name: lru,wtinylfu:window=0.02 and uring:depth=8,direct are two values and one.\n"
    "Repetition N has the seed S + N - 1. --json FILE keeps every report for `compare` and `report`.\n\n";

bool RepeatOptions::is_asked() const {
  return runs > 1 || format != "table" ||
         std::any_of(listed.begin(), listed.end(),
                     [](const ListedOption& option) { return option.values.size() > 1; });
}

void add_repeat_options(Command command, RepeatOptions& options) {
  command
      .count("--runs", {.least = 1, .most = 10000}, options.runs,
             "Make every run this many times; the table has their means with 95 % intervals")
      .show_default()
      .type_name("N");
  command
      .text("--format", options.format,
            "Form of the table of several runs: table, json, csv or markdown; all but table\n"
            "make a table of a single run too")
      .one_of({"table", "json", "csv", "markdown"})
      .show_default()
      .type_name("FORMAT");
}

Result<void> repeat(const RepeatOptions& options, RunOptions& run, const Invocation& invocation,
                    FunctionRef<Result<Report>(Composition& parts)> once) {
  if (!run.timeline.empty()) {
    return wrong_usage("--timeline draws one run; leave out --runs, --format and further values");
  }
  if (Result<void> writable = check_outputs(run); !writable) {
    return writable;
  }
  Repetition repetition(options, run, once);
  if (Result<void> prepared = repetition.prepare(); !prepared) {
    return prepared;
  }
  Result<void> outcome = repetition.run_all();
  RunTable table{invocation.command_line, {}, {}};
  for (const ListedOption& option : options.listed) {
    if (option.values.size() > 1) {
      table.axes.emplace_back(option.name, option.values);
    }
  }
  table.points = std::move(repetition.points);
  const bool any = std::any_of(table.points.begin(), table.points.end(),
                               [](const RepeatedPoint& point) { return point.runs() > 0; });
  if (!any) {
    return outcome;
  }
  Result<void> written;
  if (!run.json.empty()) {
    written = write_json(to_json(table, true), run.json);
  }
  if (run.json != "-") {
    print_table(table, options.format, repetition.warnings);
  }
  return written ? outcome : written;
}

}  // namespace spillway
