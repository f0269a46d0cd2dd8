#include <algorithm>

#include "app/page/sections.h"
#include "app/page/wording.h"

// The sections on single runs: how fast they were, and where their time went.
namespace spillway::page {
namespace {

// Returns the fastest run. Runs that know the future count only if there are no others, since their speed is
// not attainable.
const RunResult& fastest_of(const std::vector<RunResult>& runs) {
  return *std::max_element(runs.begin(), runs.end(), [](const RunResult& a, const RunResult& b) {
    return std::pair(!knows_the_future(a), a.tok_per_s) < std::pair(!knows_the_future(b), b.tok_per_s);
  });
}

std::string speed_sentence(const RunResult& run) {
  std::string text = fmt::format("{} tokens per second", tok_per_s_text(run.tok_per_s));
  if (run.policy_tok_per_s && *run.policy_tok_per_s > 0) {
    text +=
        fmt::format(", {} of the speed that its misses would allow if reads and compute overlapped perfectly",
                    percent_text(run.tok_per_s / *run.policy_tok_per_s));
  }
  const auto time = [](double seconds) { return format_duration(from_seconds(seconds)); };
  return text + fmt::format(". A token took {}, of which {} went to waiting for reads and {} to computing.",
                            time(run.s_per_token), time(run.stall_s_per_token),
                            time(run.compute_s_per_token));
}

std::string runs_sentence(const std::vector<RunResult>& runs) {
  const RunResult& fastest = fastest_of(runs);
  if (runs.size() == 1) {
    return speed_sentence(fastest);
  }
  return fmt::format("{} is the fastest of {} runs ({}): {}", file_name(fastest.origin.path), runs.size(),
                     setting_of(fastest), speed_sentence(fastest));
}

Table runs_table(const std::vector<RunResult>& runs) {
  Table table;
  const auto ceiling = [](const std::optional<double>& value) {
    return number(value ? tok_per_s_text(*value) : "–");
  };
  table.head = {{"run"},           number("tok/s"), number("hits"), number("p50"),    number("p99"),
                number("slowest"), {"how"},         number("seed"), number("policy"), number("physical")};
  for (const RunResult& run : runs) {
    table.rows.push_back({{file_name(run.origin.path), false, setting_of(run)},
                          number(tok_per_s_text(run.tok_per_s)),
                          number(percent_text(run.hit_ratio)),
                          number(format_duration(run.p50)),
                          number(format_duration(run.p99)),
                          number(format_duration(run.slowest)),
                          {run.kind},
                          ceiling(run.seed_tok_per_s),
                          ceiling(run.policy_tok_per_s),
                          ceiling(run.physical_tok_per_s)});
  }
  table.note =
      "The last three columns are ceilings in tok/s. Seed: every expert is read. Policy: only this "
      "run's misses are read, and all reads overlap with compute. Physical: the same with the fewest "
      "misses that any policy could have.";
  return table;
}

std::string how_text(GapBar::How how) {
  switch (how) {
    case GapBar::How::counted:
      return "counted";
    case GapBar::How::measured:
      return "measured";
    case GapBar::How::simulated:
      break;
  }
  return "simulated";
}

std::string gap_sentence(const RunResult& run) {
  const Gap& gap = *run.gap;
  const auto costliest =
      std::max_element(gap.bars.begin(), gap.bars.end(),
                       [](const GapBar& a, const GapBar& b) { return a.s_per_token < b.s_per_token; });
  std::string text =
      fmt::format("A token took {}. Reading every expert at the drive's full bandwidth would take {}.",
                  format_duration(from_seconds(gap.achieved_s_per_token)),
                  format_duration(from_seconds(gap.seed_s_per_token)));
  if (costliest != gap.bars.end() && costliest->s_per_token > 0) {
    text += fmt::format(" The largest cost is “{}”, {}: {}.", costliest->name,
                        signed_ms(costliest->s_per_token), costliest->explanation);
  }
  const double residual = gap.residual_s_per_token();
  const double share = gap.achieved_s_per_token > 0 ? residual / gap.achieved_s_per_token : 0;
  return text +
         fmt::format(" The causes leave {} ({}) unexplained.", signed_ms(residual), percent_text(share));
}

Table gap_table(const Gap& gap) {
  Table table;
  const auto total = [&](const char* name, double seconds) {
    table.rows.push_back({{name}, number(fmt::format("{:.2f} ms", 1e3 * seconds))});
  };
  table.head = {{"cause"}, number("time of a token")};
  total("every expert read at the drive's best", gap.seed_s_per_token);
  for (const GapBar& bar : gap.bars) {
    table.rows.push_back({{fmt::format("{} ({})", bar.name, how_text(bar.how)), false, bar.explanation},
                          number(signed_ms(bar.s_per_token))});
  }
  table.rows.push_back({{"not explained"}, number(signed_ms(gap.residual_s_per_token()))});
  total("achieved", gap.achieved_s_per_token);
  return table;
}

}  // namespace

Section runs_section(const std::vector<RunResult>& runs, FigureMaker& figures) {
  Section section;
  section.question = runs.size() == 1 ? "How fast did it decode, and how evenly?"
                                      : "How fast did each run decode, and how evenly?";
  section.answer = runs_sentence(runs);
  std::vector<const Origin*> origins;
  std::vector<std::string> files;
  for (const RunResult& run : runs) {
    origins.push_back(&run.origin);
    if (run.tokens > 0) {
      files.push_back(run.origin.path);
    }
    for (const std::string& caution : cautions_of(run)) {
      section.cautions.push_back(runs.size() == 1 ? caution : file_name(run.origin.path) + ": " + caution);
    }
  }
  if (!files.empty()) {
    place_figure(figures.draw("latency_cdf", files),
                 "The share of tokens that took at most the given time. The scale gives the slowest tenth, "
                 "hundredth and thousandth as much room as the rest.",
                 section);
  }
  section.table = runs_table(runs);
  section.facts = facts_of(origins);
  section.source = source_of(origins, runs.front().simulated);
  section.commands = commands_of(origins);
  return section;
}

Section gap_section(const RunResult& run, FigureMaker& figures) {
  Section section;
  section.question = fmt::format("Where does the time of a token go? ({})", file_name(run.origin.path));
  section.answer = gap_sentence(run);
  section.cautions = cautions_of(run);
  place_figure(figures.draw("gap_waterfall", {run.origin.path}),
               "The causes lead from the time of a token for which every expert is read at "
               "the drive's best bandwidth to the time that was achieved. Orange causes "
               "cost time, green causes save time.",
               section);
  section.table = gap_table(*run.gap);
  section.facts = facts_of({&run.origin});
  section.source = source_of({&run.origin}, run.simulated);
  section.commands = commands_of({&run.origin});
  return section;
}

}  // namespace spillway::page
