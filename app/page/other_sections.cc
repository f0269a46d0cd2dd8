#include <algorithm>
#include <map>

#include "app/page/sections.h"
#include "app/page/wording.h"
#include "app/report/saturated.h"

// The sections on curves, plans, drives and timelines.
namespace spillway::page {
namespace {

// Returns the points of each policy, ascending by size. The policies are in the file's order.
std::vector<std::vector<CurvePoint>> by_policy(const CurveResult& curve) {
  std::vector<std::vector<CurvePoint>> series;
  for (const CurvePoint& point : curve.points) {
    const auto same = [&](const std::vector<CurvePoint>& one) { return one.front().policy == point.policy; };
    auto found = std::find_if(series.begin(), series.end(), same);
    if (found == series.end()) {
      found = series.insert(series.end(), std::vector<CurvePoint>());
    }
    found->push_back(point);
  }
  for (std::vector<CurvePoint>& points : series) {
    std::sort(points.begin(), points.end(),
              [](const CurvePoint& a, const CurvePoint& b) { return a.cache_bytes < b.cache_bytes; });
  }
  return series;
}

std::string curve_sentence(const CurveResult& curve) {
  std::string text = fmt::format("One token uses {} of experts", format_bytes(curve.token_cycle_bytes));
  std::optional<double> below;  // LRU's best hit ratio in a smaller cache
  for (const CurvePoint& point : curve.points) {
    if (point.policy == "lru" && point.cache_bytes < curve.token_cycle_bytes) {
      below = std::max(below.value_or(0), point.hit_ratio_decode);
    }
  }
  text += below ? fmt::format(". In a smaller cache, LRU hits at most {} of the time.", percent_text(*below))
                : std::string(".");
  if (curve.knee) {
    text +=
        fmt::format(" In {}, LRU hits {} of the time; each further byte of cache gains less than average.",
                    format_bytes(curve.knee->cache_bytes), percent_text(curve.knee->hit_ratio_decode));
  }
  return text;
}

Table curve_table(const std::vector<std::vector<CurvePoint>>& series) {
  std::map<uint64_t, std::vector<std::string>> rows;
  Table table;
  table.head = {number("cache")};
  for (size_t i = 0; i < series.size(); ++i) {
    table.head.push_back(number(series[i].front().policy));
    for (const CurvePoint& point : series[i]) {
      rows[point.cache_bytes].resize(series.size(), "–");
      rows[point.cache_bytes][i] = percent_text(point.hit_ratio_decode);
    }
  }
  for (const auto& [size, texts] : rows) {
    std::vector<Cell>& row = table.rows.emplace_back();
    row.push_back(number(format_bytes(size)));
    for (const std::string& text : texts) {
      row.push_back(number(text));
    }
  }
  table.note = "Hit ratio in decode.";
  return table;
}

// Returns a method's fastest random reads.
const LoadPoint* fastest_of(const AccessMethod& method) {
  const auto best =
      std::max_element(method.random.begin(), method.random.end(),
                       [](const LoadPoint& a, const LoadPoint& b) { return a.bytes_per_s < b.bytes_per_s; });
  return best == method.random.end() ? nullptr : &*best;
}

std::string rate_text(double bytes_per_s) {
  return format_bytes(uint64_t(std::max(bytes_per_s, 0.0))) + "/s";
}

std::string device_sentence(const DeviceProfile& profile) {
  const AccessMethod* best = nullptr;
  for (const AccessMethod& method : profile.methods) {
    // Warm reads come from memory and say nothing about the drive.
    const LoadPoint* point = method.name.ends_with("warm") ? nullptr : fastest_of(method);
    if (point != nullptr && (best == nullptr || point->bytes_per_s > fastest_of(*best)->bytes_per_s)) {
      best = &method;
    }
  }
  if (best == nullptr) {
    return "Nothing was measured.";
  }
  const LoadPoint& point = *fastest_of(*best);
  return fmt::format("The drive delivers {} at random, with reads of {}, {} in flight, by {}.",
                     rate_text(point.bytes_per_s), exact_bytes(Bytes{point.block_bytes}), point.depth,
                     best->name);
}

Table device_table(const DeviceProfile& profile) {
  Table table;
  table.head = {{"method"},          number("best at random"), number("95 % interval"), number("read size"),
                number("in flight"), number("median latency"), number("CPU s/GB")};
  for (const AccessMethod& method : profile.methods) {
    if (const LoadPoint* point = fastest_of(method)) {
      constexpr size_t kMedian = 2;  // of kLatencyQuantiles
      table.rows.push_back(
          {{method.name},
           number(rate_text(point->bytes_per_s)),
           number(fmt::format("{} to {}", rate_text(point->bytes_per_s_low),
                              rate_text(point->bytes_per_s_high))),
           number(exact_bytes(Bytes{point->block_bytes})),
           number(fmt::format("{}", point->depth)),
           number(format_duration(Nanoseconds(saturated<int64_t>(point->latency_ns[kMedian])))),
           number(fmt::format("{:.4f}", point->cpu_s_per_gb))});
    }
  }
  return table;
}

std::string plan_sentence(const PlanResult& plan) {
  const std::string what = fmt::format("{} ({}) on {} with {}", plan.model, plan.bits, plan.machine,
                                       memory_text(plan.memory_bytes));
  if (!plan.fits) {
    return fmt::format("{} does not fit: it needs {}.", what, format_bytes(plan.needed_bytes));
  }
  return fmt::format(
      "{}: {} tokens per second, likely between {} and {}. More memory than {} would gain less than 5 %.",
      what, tok_per_s_text(plan.tok_per_s), tok_per_s_text(plan.low), tok_per_s_text(plan.high),
      memory_text(plan.memory_enough));
}

}  // namespace

Section curve_section(const CurveResult& curve, FigureMaker& figures) {
  const std::vector<std::vector<CurvePoint>> series = by_policy(curve);
  Section section;
  section.question =
      fmt::format("How much cache does {} need?", curve.model.empty() ? curve.trace : curve.model);
  section.answer = curve_sentence(curve);
  if (curve.interrupted) {
    section.cautions.emplace_back("Interrupted: only the points that were finished are shown.");
  }
  place_figure(figures.draw("hit_ratio_curves", {curve.origin.path}),
               "How often a cache of a given size hits, by policy.", section);
  section.table = curve_table(series);
  section.facts = {fmt::format("Counted from the trace {}; no drive was involved.", curve.trace)};
  section.source = "Counted, no drive was involved";
  return section;
}

Section plan_section(const PlanResult& plan, FigureMaker& figures) {
  Section section;
  section.question = fmt::format("What hardware does {} need to run well?", plan.model);
  section.answer = plan_sentence(plan);
  place_figure(
      figures.draw("ram_ssd_heatmap", {plan.path}),
      "Tokens per second for each amount of memory and each speed of the drive. Points on a line have "
      "the same speed.",
      section);
  section.table.head = {number("memory")};
  for (const double bandwidth : plan.bandwidths) {
    section.table.head.push_back(number(rate_text(bandwidth)));
  }
  for (size_t row = 0; row < plan.memories.size(); ++row) {
    std::vector<Cell>& cells = section.table.rows.emplace_back();
    cells.push_back(number(memory_text(plan.memories[row])));
    for (size_t column = 0; column < plan.bandwidths.size(); ++column) {
      const double speed = plan.speeds[row * plan.bandwidths.size() + column];
      cells.push_back(number(speed > 0 ? tok_per_s_text(speed) : "–"));
    }
  }
  section.table.note =
      "Tokens per second, by memory and the drive's bandwidth. A dash: the model does not fit.";
  section.facts = {fmt::format("Calculated, not measured: machine {}, drive {}.", plan.machine, plan.drive)};
  section.source = "Calculated, not measured";
  return section;
}

Section device_section(const std::string& path, const DeviceProfile& profile) {
  Section section;
  section.question =
      fmt::format("What does the drive {} deliver?", profile.name.empty() ? path : profile.name);
  section.answer = device_sentence(profile);
  section.table = device_table(profile);
  section.facts = {profile.device, profile.source, profile.date};
  std::erase(section.facts, "");
  section.source = profile.device;
  return section;
}

Section timeline_section(const TimelineResult& timeline, FigureMaker& figures) {
  Section section;
  section.question = fmt::format("What happens during a token? ({})", file_name(timeline.path));
  const auto share = [&](double seconds) {
    return percent_text(timeline.wall_s > 0 ? seconds / timeline.wall_s : 0);
  };
  section.answer = fmt::format(
      "{} tokens took {}: {} of the time went to waiting for reads, {} to computing and {} to the rest.",
      timeline.tokens, format_duration(from_seconds(timeline.wall_s)), share(timeline.stall_s),
      share(timeline.compute_s),
      share(std::max(0.0, timeline.wall_s - timeline.stall_s - timeline.compute_s)));
  if (!timeline.complete) {
    section.cautions.emplace_back("The run ended early: only the part of the timeline up to then is shown.");
  }
  if (timeline.tokens > 0) {
    place_figure(figures.draw("token_timeline", {timeline.path}),
                 fmt::format("The token with the median latency. The whole file, with {} reads, opens in "
                             "Perfetto (ui.perfetto.dev) and chrome://tracing.",
                             timeline.reads),
                 section);
  }
  if (!timeline.title.empty()) {
    section.commands.push_back(timeline.title);
  }
  return section;
}

}  // namespace spillway::page
