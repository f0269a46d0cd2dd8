#include "app/sweep/compare.h"

#include <fmt/format.h>

#include "app/cli/cli.h"
#include "app/report/report.h"
#include "core/json.h"

namespace spillway {
namespace {

struct CompareOptions {
  std::string a;
  std::string b;
  std::vector<std::string> part_of_a;
  std::vector<std::string> part_of_b;
  std::vector<std::string> figures;
  std::vector<std::string> fail_if;
  double confidence = 0.95;
  std::string json;
};

Result<std::vector<Condition>> parse_conditions(const std::vector<std::string>& texts) {
  std::vector<Condition> conditions;
  for (const std::string& text : texts) {
    Result<Condition> condition = parse_condition(text);
    if (!condition) {
      return propagate(condition);
    }
    conditions.push_back(std::move(*condition));
  }
  return conditions;
}

Result<void> run_compare(const CompareOptions& options) {
  if (options.b.empty() && options.part_of_a.empty() && options.part_of_b.empty()) {
    return wrong_usage("compare needs a second result, or --a and --b to choose two parts of {}", options.a);
  }
  if (Result<void> known = check_figures(options.figures); !known) {
    return wrong_usage("--figures: {}", known.error().message);
  }
  Result<std::vector<Condition>> conditions = parse_conditions(options.fail_if);
  if (!conditions) {
    return propagate(conditions);
  }
  if (Result<void> writable = check_json_path(options.json, options.a); !writable) {
    return writable;
  }
  Result<ComparedSide> a = load_side(options.a, options.part_of_a);
  if (!a) {
    return propagate(a);
  }
  Result<ComparedSide> b = load_side(options.b.empty() ? options.a : options.b, options.part_of_b);
  if (!b) {
    return propagate(b);
  }
  Result<Comparison> comparison = compare(std::move(*a), std::move(*b), options.confidence);
  if (!comparison) {
    return propagate(comparison);
  }
  for (const Condition& condition : *conditions) {
    Result<JudgedCondition> judged = judge(condition, *comparison);
    if (!judged) {
      return propagate(judged);
    }
    comparison->conditions.push_back(std::move(*judged));
  }
  Result<void> written;
  if (!options.json.empty()) {
    written = write_json(to_json(*comparison), options.json);
  }
  if (options.json != "-") {
    fmt::print("{}", to_table(*comparison, options.figures));
  }
  return written ? check(comparison->conditions) : written;
}

}  // namespace

void add_compare_command(Command app, Invocation& invocation) {
  auto options = std::make_shared<CompareOptions>();
  Command command =
      app.subcommand("compare", "Show how two results differ, and whether that is more than noise");
  command.footer(
      "A result is a report or a curve (--json), a folder of reports of the same run, or the points of a\n"
      "sweep's folder or of a file of several runs (replay --runs --json), which are compared one by one.\n"
      "Intervals come from the repetitions: Welch's, or paired where the two took turns. A simulation has "
      "no\n"
      "error of its own unless it is random.\n\n"
      "--fail-if FIGURE<-P% (or FIGURE>P%) makes the exit status 1 when B's figure dropped (or rose) by "
      "more\n"
      "than P percent at any point and the interval excludes zero; of a share like hit_ratio, by more than "
      "P\n"
      "percentage points. With one run on each side the values alone decide, and the line says so. Names:\n"
      "spillway list figures.\n\n"
      "Examples:\n"
      "  spillway compare simulated.json replayed.json\n"
      "  spillway compare monday/ tuesday/ --figures tok_per_s,p99_ns\n"
      "  spillway compare results/02-backends --a backend=pread --b backend=uring\n"
      "  spillway compare old/ new/ --fail-if 'tok_per_s<-5%' --fail-if 'p99_ns>10%'");
  command.text("first", options->a, "The first result").required().type_name("RESULT");
  command.text("second", options->b,
               "The second result (default: the first; then --a and --b choose parts of it)");
  command.texts("--a", options->part_of_a, "Compare only this part of the first sweep")
      .one_word_each()
      .type_name("AXIS=VALUE");
  command.texts("--b", options->part_of_b, "Compare only this part of the second sweep")
      .one_word_each()
      .type_name("AXIS=VALUE");
  command.texts("--figures", options->figures, "Show only these figures in the table, comma-separated")
      .comma_separated()
      .type_name("NAMES");
  command
      .texts("--fail-if", options->fail_if,
             "Exit with status 1 if a figure changed by more than this, like 'tok_per_s<-5%';\n"
             "may be given several times, or comma-separated")
      .comma_separated()
      .one_word_each()
      .type_name("CONDITION");
  command.real("--confidence", {0.5, 0.9999}, options->confidence, "Confidence level of the intervals")
      .show_default()
      .type_name("P");
  command
      .output("--json", options->json,
              "Write all figures as JSON to this file; - writes them to stdout instead of the table")
      .type_name("FILE");
  command.runs(invocation, [options] { return run_compare(*options); });
}

}  // namespace spillway
