#include "app/trace/trace_info.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "app/cli/printable.h"
#include "app/cli/text_table.h"
#include "core/for_each_step.h"
#include "core/json.h"
#include "core/units.h"
#include "host/interrupt.h"
#include "traces/reader.h"

namespace spillway {
namespace {

constexpr uint32_t kShownLags[] = {1, 2, 4, 8, 16, 32, 64};

std::string column_names(TraceColumns columns) {
  std::string names = "routing";
  names += columns.weights ? ", gate weights" : "";
  names += columns.times ? ", compute times" : "";
  names += columns.lookahead ? ", look-ahead" : "";
  names += columns.token_ids ? ", token ids" : "";
  return names;
}

}  // namespace

Result<TraceInfo> describe_trace(const std::string& path) {
  Result<std::unique_ptr<TraceReader>> opened = TraceReader::open(path);
  if (!opened) {
    return propagate(opened);
  }
  TraceReader& reader = **opened;
  StatsCollector collector(reader.header().geometry);
  Result<void> read = for_each_step(reader, [&](const Step& step) -> Result<void> {
    collector.observe(step);
    if (interrupted()) {
      return failed("{}: interrupted after {} steps", path, reader.steps_read());
    }
    return {};
  });
  if (!read) {
    return propagate(read);
  }
  return TraceInfo{path,
                   reader.header(),
                   collector.finish(),
                   reader.file_bytes(),
                   reader.blocks_read(),
                   reader.section_bytes(Section::ranks_low) + reader.section_bytes(Section::ranks_high),
                   reader.truncation()};
}

std::string to_table(const TraceInfo& info) {
  const TraceStats& stats = info.stats;
  const ModelGeometry& geometry = info.header.geometry;
  TextTable table({{.least = 22}, {.wraps = true}});
  table.line(printable(info.path));
  const auto row = [&](const std::string& name, const std::string& value) {
    table.row({printable(name), printable(value)});
  };
  const auto section = [&](const char* name) {
    table.line("");
    table.line(name);
  };
  row("model", info.header.model.empty() ? "not named" : info.header.model);
  row("geometry", geometry.describe());
  row("all experts", format_bytes(geometry.total_bytes()));
  row("one token cycle", format_bytes(geometry.token_cycle_bytes()));
  for (const auto& [key, value] : info.header.provenance) {
    row(key, value);
  }
  for (const auto& [key, value] : info.header.seeds) {
    row("seed: " + key, fmt::format("{}", value));
  }
  section("contents");
  row("steps",
      fmt::format("{} in {} sequence{}", stats.steps, stats.sequences, stats.sequences == 1 ? "" : "s"));
  row("decode", fmt::format("{} tokens in {} passes", stats.decode_tokens, stats.decode_passes));
  row("prefill", fmt::format("{} tokens in {} passes", stats.prefill_tokens, stats.prefill_passes));
  row("columns", column_names(info.header.columns));
  row("ends", info.truncation.empty() ? "clean" : info.truncation);

  section("locality");
  std::string lags;
  std::string reuse;
  std::string decode;
  for (const uint32_t lag : kShownLags) {
    lags += fmt::format("{:>8}", lag);
    reuse += fmt::format("{:>7.1f}%", 100 * stats.reuse[lag - 1]);
    decode += fmt::format("{:>7.1f}%", 100 * stats.reuse_decode[lag - 1]);
  }
  row("tokens back", lags);
  row("experts reused", reuse);
  row("  by decode tokens", decode);
  row("distinct per layer", fmt::format("{:.1f} of {}", stats.mean_distinct, geometry.experts_per_layer));
  row("skew",
      fmt::format("the top tenth of the experts take {:.1f}% of the choices; entropy {:.1f}% of uniform",
                  100 * stats.top_tenth_share, 100 * stats.entropy_share));

  section("size");
  row("file", fmt::format("{} in {} blocks, {:.3f} bytes per routing decision", format_bytes(info.file_bytes),
                          info.blocks, info.per_choice(info.file_bytes)));
  row("routing column", fmt::format("{}, {:.3f} bytes per routing decision", format_bytes(info.routing_bytes),
                                    info.per_choice(info.routing_bytes)));
  row("entropy", fmt::format("{:.3f} bytes per routing decision ({:.2f} bits, order 0, a table per layer)",
                             stats.entropy_bits / 8, stats.entropy_bits));
  return table.text();
}

std::string layers_table(const TraceInfo& info) {
  constexpr auto kRight = TextTable::Align::right;
  TextTable table({{.align = kRight, .least = 5},
                   {.align = kRight, .least = 12, .gap = 1},
                   {.align = kRight, .least = 9, .gap = 1},
                   {.align = kRight, .least = 9, .gap = 1},
                   {.align = kRight, .least = 13, .gap = 1},
                   {.align = kRight, .least = 12, .gap = 1},
                   {.align = kRight, .least = 11, .gap = 1}});
  table.line("");
  table.row({"layer", "expert bytes", "choices", "distinct", "entropy bits", "top tenth %", "reuse %"});
  for (size_t layer = 0; layer < info.stats.layers.size(); ++layer) {
    const LayerStats& one = info.stats.layers[layer];
    table.row({fmt::format("{}", layer), fmt::format("{}", info.header.geometry.expert_bytes[layer]),
               fmt::format("{}", one.choices), fmt::format("{}", one.distinct),
               fmt::format("{:.2f}", one.entropy_bits), fmt::format("{:.1f}", 100 * one.top_tenth_share),
               fmt::format("{:.1f}", 100 * one.lag1_reuse)});
  }
  return table.text();
}

Json to_json(const TraceInfo& info) {
  const TraceStats& stats = info.stats;
  const ModelGeometry& geometry = info.header.geometry;
  Json reuse = Json::object();
  Json decode = Json::object();
  for (const uint32_t lag : kShownLags) {
    reuse[fmt::format("{}", lag)] = stats.reuse[lag - 1];
    decode[fmt::format("{}", lag)] = stats.reuse_decode[lag - 1];
  }
  Json layers = Json::array();
  for (size_t layer = 0; layer < stats.layers.size(); ++layer) {
    const LayerStats& one = stats.layers[layer];
    layers.push_back({{"layer", layer},
                      {"expert_bytes", geometry.expert_bytes[layer]},
                      {"choices", one.choices},
                      {"distinct", one.distinct},
                      {"entropy_bits", one.entropy_bits},
                      {"top_tenth_share", one.top_tenth_share},
                      {"reuse_lag1", one.lag1_reuse}});
  }
  return {{"schema", "spillway.trace_info/1"},
          {"path", info.path},
          {"header", Json::parse(header_to_json(info.header))},
          {"complete", info.truncation.empty()},
          {"truncation", info.truncation},
          {"steps", stats.steps},
          {"sequences", stats.sequences},
          {"decode_tokens", stats.decode_tokens},
          {"decode_passes", stats.decode_passes},
          {"prefill_tokens", stats.prefill_tokens},
          {"prefill_passes", stats.prefill_passes},
          {"choices", stats.choices},
          {"accesses", stats.accesses},
          {"experts_bytes", geometry.total_bytes()},
          {"token_cycle_bytes", geometry.token_cycle_bytes()},
          {"reuse_at_lag", reuse},
          {"reuse_at_lag_decode", decode},
          {"distinct_per_layer", stats.mean_distinct},
          {"top_tenth_share", stats.top_tenth_share},
          {"entropy_bits_per_choice", stats.entropy_bits},
          {"entropy_share", stats.entropy_share},
          {"file_bytes", info.file_bytes},
          {"blocks", info.blocks},
          {"routing_bytes", info.routing_bytes},
          {"routing_bytes_per_choice", info.per_choice(info.routing_bytes)},
          {"file_bytes_per_choice", info.per_choice(info.file_bytes)},
          {"layers", layers}};
}

}  // namespace spillway
