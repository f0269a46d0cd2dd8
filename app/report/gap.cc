#include "app/report/gap.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/cli/text_table.h"
#include "core/units.h"

namespace spillway {
namespace {

std::string time_text(double s) {
  return format_duration(from_seconds(s));
}

std::string bytes_text(double bytes) {
  return format_bytes(uint64_t(std::max(0.0, bytes)));
}

// Returns the rate, or words if a token takes no time at all and so has none.
std::string speed_text(double s_per_token) {
  return s_per_token > 0 ? fmt::format("{:.2f} tok/s", 1 / s_per_token) : "no time at all";
}

std::string rate_text(double bytes_per_s) {
  return bytes_text(bytes_per_s) + "/s";
}

using How = GapBar::How;

// Adds the bars for the amount that is read, all at the drive's best bandwidth.
void add_cache_bars(const GapEvidence& e, Gap& gap) {
  gap.bars.push_back({"cache, best policy", (e.optimal_bytes - e.cycle_bytes) / e.best_bytes_per_s,
                      How::counted,
                      fmt::format("a token uses {}, of which Belady's policy would read {}",
                                  bytes_text(e.cycle_bytes), bytes_text(e.optimal_bytes))});
  gap.bars.push_back(
      {"eviction policy", (e.missed_bytes - e.optimal_bytes) / e.best_bytes_per_s, How::counted,
       fmt::format("this policy reads {} more", bytes_text(e.missed_bytes - e.optimal_bytes))});
}

// Adds the bars for the way in which it is read.
void add_path_bars(const GapEvidence& e, Gap& gap) {
  const double streaming = e.missed_bytes / e.random_bytes_per_s;
  gap.bars.push_back({"access pattern", streaming - e.missed_bytes / e.best_bytes_per_s, How::measured,
                      fmt::format("random reads of the experts' size reach {}, the drive's best is {}",
                                  rate_text(e.random_bytes_per_s), rate_text(e.best_bytes_per_s))});
  gap.bars.push_back(
      {"queue depth and layer barrier", e.barrier_s - streaming, How::simulated,
       "only one layer's misses are in flight, and the next layer waits for the last of them"});
  // Virtual time passes only for reads and arithmetic, and a simulated drive is slow only
  // when its model says so.
  if (!e.simulated) {
    gap.bars.push_back(
        {"cache management", e.management_s, How::measured,
         fmt::format(
             "the drive waits for the next layer's reads: pager, policy, bookkeeping, checks, places in "
             "memory, and whatever holds the process back; moving experts together took {} of it",
             time_text(e.moving_s))});
    gap.bars.push_back({"tail", e.tail_s, How::measured,
                        "the drive's slow moments, beyond its usual time for the same reads"});
  }
  if (e.backend_s != e.direct_s) {
    gap.bars.push_back({"syscalls, faults and copies", e.backend_s - e.direct_s, How::measured,
                        fmt::format("{} takes {} for what direct reads take {}", e.backend,
                                    time_text(e.backend_s), time_text(e.direct_s))});
  }
}

void add_compute_bars(const GapEvidence& e, Gap& gap) {
  const double exposed = e.with_compute_s - e.backend_s;
  if (e.computes) {
    gap.bars.push_back(
        {"compute not overlapped", exposed, How::measured,
         exposed <= e.compute_s
             ? fmt::format("of {} of arithmetic, {} is hidden behind reads", time_text(e.compute_s),
                           time_text(e.compute_s - exposed))
             : fmt::format("of {} of arithmetic, none is hidden behind reads, and the run waited "
                           "{} longer beside it: late wake-ups, slower reads",
                           time_text(e.compute_s), time_text(exposed - e.compute_s))});
  }
  if (e.prefetches) {
    const double wasted = e.wasted_bytes / e.random_bytes_per_s;
    gap.bars.push_back({"wasted prefetch", wasted, How::counted,
                        fmt::format("{} read for nothing", bytes_text(e.wasted_bytes))});
    gap.bars.push_back({"prefetch otherwise", e.with_prefetch_s - e.with_compute_s - wasted, How::measured,
                        "reads begun before their experts were demanded"});
  }
}

// Adds the bar for waits that a really decoding model has and its replay has not.
void add_live_bar(const GapEvidence& e, Gap& gap) {
  if (e.live_stall_s) {
    gap.bars.push_back({"reads while it was live", *e.live_stall_s - e.stall_s, How::measured,
                        fmt::format("the model waited {} for reads that its replay waited {} for",
                                    time_text(*e.live_stall_s), time_text(e.stall_s))});
  }
}

}  // namespace

Gap explain(const GapEvidence& evidence) {
  Gap gap;
  gap.seed_s_per_token = evidence.cycle_bytes / evidence.best_bytes_per_s;
  gap.achieved_s_per_token = evidence.achieved_s;
  add_cache_bars(evidence, gap);
  add_path_bars(evidence, gap);
  add_compute_bars(evidence, gap);
  add_live_bar(evidence, gap);
  for (GapBar& bar : gap.bars) {
    bar.how = evidence.simulated && bar.how == How::measured ? How::simulated : bar.how;
  }
  return gap;
}

double slow_moments(std::span<const TokenReads> tokens) {
  constexpr double kSlow = 1.25;
  std::vector<double> ratios;
  for (const TokenReads& token : tokens) {
    if (token.expected_s > 0) {
      ratios.push_back(token.took_s / token.expected_s);
    }
  }
  if (ratios.empty()) {
    return 0;
  }
  std::nth_element(ratios.begin(), ratios.begin() + ptrdiff_t(ratios.size() / 2), ratios.end());
  const double usual = ratios[ratios.size() / 2];
  double beyond = 0;
  for (const TokenReads& token : tokens) {
    // A token that read nothing met no drive.
    const double usual_s = usual * token.expected_s;
    beyond += token.expected_s > 0 && token.took_s > kSlow * usual_s ? token.took_s - usual_s : 0;
  }
  return beyond;
}

std::string to_table(const Gap& gap) {
  constexpr size_t kWidth = 24;
  TextTable table({{.least = 30},
                   {.align = TextTable::Align::right, .least = 12, .gap = 1},
                   {.least = kWidth},
                   {.wraps = true}});
  const double widest = std::max(gap.seed_s_per_token, gap.achieved_s_per_token);
  const auto line = [&](const std::string& name, double s, const std::string& note) {
    const size_t length = size_t(std::lround(std::min(1.0, std::abs(s) / widest) * double(kWidth)));
    table.row({name, fmt::format("{:+.2f} ms", 1e3 * s), std::string(length, s < 0 ? '-' : '#'), note});
  };
  table.row({"SSD-theoretical token", fmt::format("{:.2f} ms", 1e3 * gap.seed_s_per_token),
             speed_text(gap.seed_s_per_token) + ": every expert read at the drive's best"});
  for (const GapBar& bar : gap.bars) {
    line(bar.name, bar.s_per_token,
         bar.how == GapBar::How::simulated ? bar.explanation + " (simulated)" : bar.explanation);
  }
  const double residual = gap.residual_s_per_token();
  line("residual", residual,
       gap.achieved_s_per_token > 0
           ? fmt::format("not explained: {:.1f} % of a token", 100 * residual / gap.achieved_s_per_token)
           : "not explained");
  table.row({"achieved token", fmt::format("{:.2f} ms", 1e3 * gap.achieved_s_per_token),
             speed_text(gap.achieved_s_per_token)});
  return "\n" + table.text();
}

}  // namespace spillway
