#include "app/report/figure_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "core/json.h"

namespace spillway {
namespace {

constexpr AxisUnit kTokPerS{"tok/s", 1};
constexpr AxisUnit kPercent{"%", 100};
constexpr AxisUnit kMilliseconds{"ms", 1e-6};
constexpr AxisUnit kMegabytes{"MB", 1e-6};
constexpr AxisUnit kGigabytes{"GB", 1e-9};
constexpr AxisUnit kGigabytesPerS{"GB/s", 1e-9};
constexpr AxisUnit kSecondsOfNs{"s", 1e-9};
constexpr AxisUnit kSeconds{"s", 1};

// The measured phase is decode after the warm-up.
constexpr std::string_view kTokens = "phases/measured/tokens";
constexpr std::string_view kWall = "phases/measured/wall_ns";

// The figures, in their order in tables.
constexpr auto kFigures = std::to_array<FigureDefinition>({
    // The achieved speed, as in the headline: for `gap --live` that of the live run, and not of the replay
    // that explains it. A run that took no time has no speed.
    {.name = "tok_per_s",
     .unit = Unit::tok_per_s,
     .label = "tokens per second",
     .more_is_better = true,
     .in_report = "gap/achieved_tok_per_s",
     .only_if = kWall,
     .in_plan = "plan/speed/tok_per_s"},
    {.name = "tok_per_s_low",
     .unit = Unit::tok_per_s,
     .label = "tokens per second at least",
     .more_is_better = true,
     .in_plan = "plan/speed/tok_per_s_low"},
    {.name = "tok_per_s_high",
     .unit = Unit::tok_per_s,
     .label = "tokens per second at most",
     .more_is_better = true,
     .in_plan = "plan/speed/tok_per_s_high"},
    // The hit ratio of a curve counts prefill too.
    {.name = "hit_ratio",
     .unit = Unit::share,
     .label = "hits of decode",
     .axis = kPercent,
     .more_is_better = true,
     .in_report = "phases/measured/hit_ratio",
     .in_plan = "plan/speed/hit_ratio",
     .in_curve_point = "hit_ratio"},
    {.name = "hit_ratio_decode",
     .unit = Unit::share,
     .label = "hits of decode in a curve",
     .axis = kPercent,
     .more_is_better = true,
     .in_curve_point = "hit_ratio_decode"},
    {.name = "p50_ns",
     .unit = Unit::nanoseconds,
     .label = "median token",
     .axis = kMilliseconds,
     .in_report = "phases/measured/latency/p50_ns"},
    {.name = "p95_ns",
     .unit = Unit::nanoseconds,
     .label = "p95 of token latency",
     .axis = kMilliseconds,
     .in_report = "phases/measured/latency/p95_ns"},
    {.name = "p99_ns",
     .unit = Unit::nanoseconds,
     .label = "p99 of token latency",
     .axis = kMilliseconds,
     .in_report = "phases/measured/latency/p99_ns"},
    {.name = "max_ns",
     .unit = Unit::nanoseconds,
     .label = "slowest token",
     .axis = kMilliseconds,
     .in_report = "phases/measured/latency/max_ns"},
    {.name = "stall_ns_per_token",
     .unit = Unit::nanoseconds,
     .label = "stall of a token",
     .axis = kMilliseconds,
     .in_report = "phases/measured/stall_ns",
     .per = kTokens},
    {.name = "missed_bytes_per_token",
     .unit = Unit::bytes,
     .label = "missed by a token",
     .axis = kMegabytes,
     .in_report = "phases/measured/missed_bytes",
     .per = kTokens,
     .in_plan = "plan/speed/missed_bytes"},
    {.name = "cache_bytes",
     .unit = Unit::bytes,
     .label = "memory for experts",
     .axis = kGigabytes,
     .more_is_better = true,
     .in_plan = "plan/memory/cache_bytes"},
    {.name = "context_bytes",
     .unit = Unit::bytes,
     .label = "memory for the context",
     .axis = kGigabytes,
     .in_plan = "plan/memory/context_bytes"},
    {.name = "prefetched_bytes_per_token",
     .unit = Unit::bytes,
     .label = "prefetched for a token",
     .axis = kMegabytes,
     .in_report = "phases/measured/prefetched_bytes",
     .per = kTokens},
    {.name = "wasted_bytes_per_token",
     .unit = Unit::bytes,
     .label = "prefetched in vain for a token",
     .axis = kMegabytes,
     .in_report = "phases/measured/wasted_bytes",
     .per = kTokens},
    {.name = "prefill_ns",
     .unit = Unit::nanoseconds,
     .label = "prefill",
     .axis = kSecondsOfNs,
     .in_report = "phases/prefill/wall_ns"},
    {.name = "read_bytes",
     .unit = Unit::bytes,
     .label = "read",
     .axis = kGigabytes,
     .in_report = "io/read_bytes"},
    {.name = "from_ram_share",
     .unit = Unit::share,
     .label = "served from RAM",
     .axis = kPercent,
     .in_report = "io/from_ram_share"},
    {.name = "stolen_share",
     .unit = Unit::share,
     .label = "share of a core's time stolen by the host",
     .axis = kPercent,
     .in_report = "io/stolen_share"},
    {.name = "cpu_s", .unit = Unit::seconds, .label = "CPU time", .axis = kSeconds, .in_report = "io/cpu_s"},
    {.name = "drive_bytes_per_s",
     .unit = Unit::bytes_per_s,
     .label = "the drive's best",
     .axis = kGigabytesPerS,
     .more_is_better = true,
     .in_report = "gap/drive_bytes_per_s"},
    {.name = "seed_ceiling_tok_per_s",
     .unit = Unit::tok_per_s,
     .label = "seed ceiling",
     .axis = kTokPerS,
     .more_is_better = true,
     .in_report = "gap/seed_ceiling_tok_per_s",
     .in_plan = "plan/seed_ceiling_tok_per_s"},
    {.name = "policy_ceiling_tok_per_s",
     .unit = Unit::tok_per_s,
     .label = "policy ceiling",
     .axis = kTokPerS,
     .more_is_better = true,
     .in_report = "gap/policy_ceiling_tok_per_s"},
    {.name = "physical_ceiling_tok_per_s",
     .unit = Unit::tok_per_s,
     .label = "physical ceiling",
     .axis = kTokPerS,
     .more_is_better = true,
     .in_report = "gap/physical_ceiling_tok_per_s"},
    {.name = "peak_memory_bytes",
     .unit = Unit::bytes,
     .label = "peak memory",
     .axis = kGigabytes,
     .in_report = "live/peak_memory_bytes"},
    {.name = "perplexity", .unit = Unit::number, .label = "perplexity", .in_report = "perplexity/value"},
});

// Lists where the figure is, for every schema that has it: `phases/measured/tokens of a report`.
std::vector<std::string> places_of(const FigureDefinition& figure) {
  std::vector<std::string> places;
  if (!figure.in_report.empty()) {
    places.push_back(fmt::format("{} of a report{}", figure.in_report,
                                 figure.per.empty() ? "" : fmt::format(", divided by {}", figure.per)));
  }
  if (!figure.in_plan.empty()) {
    places.push_back(fmt::format("{} of a plan", figure.in_plan));
  }
  if (!figure.in_curve_point.empty()) {
    places.push_back(fmt::format("{} of each point of a curve", figure.in_curve_point));
  }
  return places;
}

}  // namespace

std::string_view name_of(Unit unit) {
  switch (unit) {
    case Unit::tok_per_s:
      return "tok_per_s";
    case Unit::share:
      return "share";
    case Unit::nanoseconds:
      return "ns";
    case Unit::bytes:
      return "bytes";
    case Unit::bytes_per_s:
      return "bytes_per_s";
    case Unit::seconds:
      return "s";
    case Unit::number:
      break;
  }
  return "number";
}

std::span<const FigureDefinition> figure_table() {
  return kFigures;
}

const FigureDefinition* find_definition(std::string_view name) {
  const auto found = std::find_if(kFigures.begin(), kFigures.end(),
                                  [&](const FigureDefinition& figure) { return figure.name == name; });
  return found == kFigures.end() ? nullptr : &*found;
}

Json to_json(std::span<const FigureDefinition> table) {
  Json list = Json::array();
  for (const FigureDefinition& figure : table) {
    Json entry = {{"name", figure.name}, {"unit", name_of(figure.unit)}, {"label", figure.label}};
    if (!figure.axis.name.empty()) {
      entry["axis_unit"] = figure.axis.name;
      entry["axis_scale"] = figure.axis.scale;
    }
    entry["more_is_better"] = figure.more_is_better;
    for (const auto& [key, path] : {std::pair{"report", figure.in_report},
                                    {"per", figure.per},
                                    {"only_if", figure.only_if},
                                    {"plan", figure.in_plan},
                                    {"curve_point", figure.in_curve_point}}) {
      if (!path.empty()) {
        entry[key] = path;
      }
    }
    list.push_back(std::move(entry));
  }
  return list;
}

std::string describe(const FigureDefinition& figure) {
  return fmt::format("{}{}: {}", figure.label,
                     figure.axis.name.empty() ? "" : fmt::format(" ({})", figure.axis.name),
                     fmt::join(places_of(figure), "; "));
}

}  // namespace spillway
