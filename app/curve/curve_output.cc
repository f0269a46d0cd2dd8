#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/cli/printable.h"
#include "app/cli/text_table.h"
#include "app/curve/curve.h"
#include "app/report/traits.h"
#include "core/json.h"

namespace spillway {
namespace {

using Out = std::back_insert_iterator<std::string>;

CacheCounts decode_counts(const CurveStudy& study, const std::vector<uint64_t>& hits) {
  return phase_counts(study.stream, hits, Phase::decode);
}

CacheCounts everything(const CurveStudy& study) {
  return total_counts(study.stream, std::vector<uint64_t>(study.stream.rows(), 0));
}
CacheCounts all_decode(const CurveStudy& study) {
  return decode_counts(study, std::vector<uint64_t>(study.stream.rows(), 0));
}

double ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0.0 : double(part) / double(whole);
}

// Hits of LRU in a cache of one size, in all phases and in decode.
struct LruHits {
  uint64_t all = 0;
  uint64_t decode = 0;
};

LruHits lru_hits(const CurveStudy& study, uint64_t granules) {
  const uint64_t decode = study.lru.hits_at(Phase::decode, granules);
  return {study.lru.hits_at(Phase::prefill, granules) + decode, decode};
}

uint64_t first_granule(const CurveStudy& study) {
  const LruCurve& lru = study.lru;
  return std::max<uint64_t>((lru.least_bytes + lru.granule_bytes - 1) / lru.granule_bytes, 1);
}

// Returns the sizes, in granules, where the curve begins and where the number of hits changes.
std::vector<uint64_t> changes(const CurveStudy& study) {
  std::vector<uint64_t> sizes;
  for (uint64_t granules = first_granule(study); granules < study.lru.hits[0].size(); ++granules) {
    if (sizes.empty() || lru_hits(study, granules).all != lru_hits(study, granules - 1).all) {
      sizes.push_back(granules);
    }
  }
  return sizes;
}

// Returns at most `most` of `values`, evenly spaced, with both ends. `most` is at least two.
std::vector<uint64_t> thinned(std::vector<uint64_t> values, std::optional<uint64_t> most) {
  if (!most || values.size() <= *most) {
    return values;
  }
  std::vector<uint64_t> kept;
  for (uint64_t i = 0; i < *most; ++i) {
    kept.push_back(values[i * (values.size() - 1) / (*most - 1)]);
  }
  return kept;
}

Json lru_curve_json(const CurveStudy& study, std::optional<uint64_t> most_points) {
  const uint64_t accesses = everything(study).accesses;
  const uint64_t accesses_decode = all_decode(study).accesses;
  Json points = Json::array();
  for (const uint64_t granules : thinned(changes(study), most_points)) {
    const LruHits hits = lru_hits(study, granules);
    points.push_back({{"cache_bytes", granules * study.lru.granule_bytes},
                      {"hits", hits.all},
                      {"hit_ratio", ratio(hits.all, accesses)},
                      {"hits_decode", hits.decode},
                      {"hit_ratio_decode", ratio(hits.decode, accesses_decode)}});
  }
  return points;
}

// Returns the hits of each layer, prefill and decode together, at sizes that are the same for every layer.
Json layers_json(const CurveStudy& study, std::optional<uint64_t> most_points) {
  const AccessStream& stream = study.stream;
  const uint64_t granule = study.lru.row_granule_bytes;
  size_t granules = 0;
  for (const std::vector<uint64_t>& row : study.lru.row_hits) {
    granules = std::max(granules, row.size());
  }
  std::vector<uint64_t> sizes;
  for (uint64_t i = (study.lru.least_bytes + granule - 1) / granule; i < granules; ++i) {
    sizes.push_back(i);
  }
  sizes = thinned(std::move(sizes), most_points);
  Json json = {{"cache_bytes", Json::array()}, {"layers", Json::array()}};
  for (const uint64_t size : sizes) {
    json["cache_bytes"].push_back(size * granule);
  }
  for (uint32_t layer = 0; layer < stream.geometry().layers; ++layer) {
    Json hits = Json::array();
    for (const uint64_t size : sizes) {
      uint64_t sum = 0;
      for (const Phase phase : {Phase::prefill, Phase::decode}) {
        const std::vector<uint64_t>& row = study.lru.row_hits[stream.row_of(phase, layer)];
        sum += row.empty() ? 0 : row[size];
      }
      hits.push_back(sum);
    }
    json["layers"].push_back({{"layer", layer},
                              {"accesses", layer_counts(stream, study.first_uses, layer).accesses},
                              {"hits", hits}});
  }
  return json;
}

Json point_json(const CurveStudy& study, const CurvePoint& point) {
  const CacheCounts all = total_counts(study.stream, point.hits);
  const CacheCounts decode = decode_counts(study, point.hits);
  Json layers = Json::array();
  for (uint32_t layer = 0; layer < study.stream.geometry().layers; ++layer) {
    layers.push_back(layer_counts(study.stream, point.hits, layer).hit_ratio());
  }
  return {{"policy", point.policy.text},
          {"traits", to_json(point.policy.traits)},
          {"cache_bytes", point.cache_bytes},
          {"accesses", all.accesses},
          {"hits", all.hits},
          {"hit_ratio", all.hit_ratio()},
          {"accesses_decode", decode.accesses},
          {"hits_decode", decode.hits},
          {"hit_ratio_decode", decode.hit_ratio()},
          {"missed_bytes", all.missed_bytes},
          {"misses",
           {{"first_use", point.causes.first_use},
            {"working_set", point.causes.working_set},
            {"policy", point.causes.policy}}},
          {"hit_ratio_by_layer", layers}};
}

Json knee_json(const CurveStudy& study) {
  if (!study.knee_bytes) {
    return nullptr;
  }
  const LruHits hits = lru_hits(study, *study.knee_bytes / study.lru.granule_bytes);
  return {{"cache_bytes", *study.knee_bytes},
          {"hit_ratio", ratio(hits.all, everything(study).accesses)},
          {"hit_ratio_decode", ratio(hits.decode, all_decode(study).accesses)}};
}

const char* name_of(CacheSemantics semantics) {
  return semantics == CacheSemantics::step ? "step" : "request";
}

// Writes a table with a row for each size and a column for each policy.
void hit_ratios(Out out, const CurveStudy& study) {
  std::vector<TextTable::Column> columns = {{.align = TextTable::Align::right, .least = 10, .gap = 0}};
  std::vector<std::string> cells = {"cache"};
  for (const EvictionChoice& policy : study.policies) {
    columns.push_back({.align = TextTable::Align::right, .least = 16});
    cells.push_back(printable(policy.text));
  }
  columns.push_back({});
  TextTable table(std::move(columns));
  table.row(std::move(cells));
  for (size_t row = 0; row < study.sizes.size(); ++row) {
    const uint64_t size = study.sizes[row];
    cells = {format_bytes(size)};
    for (size_t column = 0; column < study.policies.size(); ++column) {
      const size_t index = column * study.sizes.size() + row;
      if (index >= study.points.size()) {
        cells.emplace_back("-");
        continue;
      }
      const std::vector<uint64_t>& hits = study.points[index].hits;
      cells.push_back(fmt::format("{:>7.3f} ({:>6.3f})", 100 * decode_counts(study, hits).hit_ratio(),
                                  100 * total_counts(study.stream, hits).hit_ratio()));
    }
    const bool cliff = size == study.stream.geometry().token_cycle_bytes();
    const bool knee = size == study.knee_bytes;
    cells.push_back(
        fmt::format("{}{}{}", cliff ? "one token cycle" : "", cliff && knee ? "  " : "", knee ? "knee" : ""));
    table.row(std::move(cells));
  }
  fmt::format_to(out, "{}", table.text());
}

// Writes the smallest cache in which LRU hits 10 %, 20 %, … of decode.
void sizes_for_lru(Out out, const CurveStudy& study) {
  const uint64_t accesses = all_decode(study).accesses;
  const std::vector<uint64_t>& decode = study.lru.hits[1];
  if (accesses == 0) {
    return;
  }
  TextTable table({{.align = TextTable::Align::right, .least = 11, .gap = 0}, {}});
  table.line("");
  table.line("lru hits at least this share of decode from this cache size on (exact):");
  for (uint64_t tenth = 1; tenth < 10; ++tenth) {
    const auto least = decode.begin() + ptrdiff_t(std::min<uint64_t>(first_granule(study), decode.size()));
    const auto enough = std::partition_point(least, decode.end(),
                                             [&](uint64_t hits) { return hits * 10 < tenth * accesses; });
    if (enough == decode.end()) {
      break;
    }
    // The curve is exact only from the largest step's size on, so a smaller cache may already be enough.
    table.row({fmt::format("{} %", 10 * tenth),
               fmt::format("{}{}", format_bytes(uint64_t(enough - decode.begin()) * study.lru.granule_bytes),
                           enough == least ? " (the size of the largest step) or less" : "")});
  }
  fmt::format_to(out, "{}", table.text());
}

void marks(Out out, const CurveStudy& study) {
  const ModelGeometry& geometry = study.stream.geometry();
  TextTable table({{.gap = 0}, {.wraps = true}});
  table.line("");
  table.row(
      {"cliff", fmt::format("{}: the experts that one token uses in all layers. In a cache much smaller than "
                            "that, LRU drops a layer's experts before the next token reaches the layer.",
                            format_bytes(geometry.token_cycle_bytes()))});
  if (study.knee_bytes) {
    const LruHits hits = lru_hits(study, *study.knee_bytes / study.lru.granule_bytes);
    table.row(
        {"knee",
         fmt::format("{}: at this size LRU hits {:.3f} % ({:.3f} %); a further byte of cache brings less "
                     "than a byte does on average.",
                     format_bytes(*study.knee_bytes), 100 * ratio(hits.decode, all_decode(study).accesses),
                     100 * ratio(hits.all, everything(study).accesses))});
  }
  const CacheCounts firsts = total_counts(study.stream, study.first_uses);
  const CacheCounts decode = decode_counts(study, study.first_uses);
  table.row({"floor", fmt::format("{:.3f} % ({:.3f} %) of the accesses are first uses, which no cache hits.",
                                  100 * decode.hit_ratio(), 100 * firsts.hit_ratio())});
  fmt::format_to(out, "{}", table.text());
}

// Writes the causes of the misses of the first policy that does not know the future.
void causes(Out out, const CurveStudy& study) {
  const auto first = std::find_if(study.points.begin(), study.points.end(),
                                  [](const CurvePoint& point) { return !point.policy.traits.knows_future; });
  if (first == study.points.end()) {
    return;
  }
  const double accesses = double(everything(study).accesses);
  constexpr auto kRight = TextTable::Align::right;
  TextTable table({{.align = kRight, .least = 10, .gap = 0},
                   {.align = kRight, .least = 9},
                   {.align = kRight, .least = 10},
                   {.align = kRight, .least = 12},
                   {.align = kRight, .least = 9}});
  table.line("");
  table.line(fmt::format("why {} misses, % of all accesses:", printable(first->policy.text)));
  table.row({"cache", "missed", "first use", "working set", "policy"});
  const auto percent = [accesses](double count) { return fmt::format("{:.3f}", 100 * count / accesses); };
  const CurvePoint* worst = &*first;
  for (auto point = first; point != study.points.end() && point->policy == first->policy; ++point) {
    const MissCauses& why = point->causes;
    table.row(
        {format_bytes(point->cache_bytes), percent(double(total_counts(study.stream, point->hits).misses())),
         percent(double(why.first_use)), percent(double(why.working_set)), percent(double(why.policy))});
    worst = why.policy > worst->causes.policy ? &*point : worst;
  }
  const uint64_t misses = total_counts(study.stream, worst->hits).misses();
  table.line(fmt::format(
      "working set: Belady's rule misses these too, since the cache is too small; policy: Belady's rule "
      "would hit these. At {} the policy causes {:.1f} % of the misses of {}{}.",
      format_bytes(worst->cache_bytes),
      misses == 0 ? 0.0 : 100 * double(worst->causes.policy) / double(misses), printable(worst->policy.text),
      2 * worst->causes.policy > int64_t(misses)
          ? "; a better policy would avoid more misses than a larger cache"
          : "; a larger cache would avoid more misses than a better policy"));
  fmt::format_to(out, "{}", table.text());
}

}  // namespace

Json to_json(const CurveStudy& study, std::optional<uint64_t> most_points) {
  const CacheCounts firsts = total_counts(study.stream, study.first_uses);
  const CacheCounts firsts_decode = decode_counts(study, study.first_uses);
  Json json = {{"schema", "spillway.curve/1"},
               {"trace", {{"path", study.trace_path}, {"model", study.model}}},
               {"token_cycle_bytes", study.stream.geometry().token_cycle_bytes()},
               {"semantics", name_of(study.semantics)},
               {"interrupted", !study.complete()},
               {"knee", knee_json(study)},
               {"first_uses", {{"all", firsts.hits}, {"decode", firsts_decode.hits}}},
               {"points", Json::array()}};
  for (const CurvePoint& point : study.points) {
    json["points"].push_back(point_json(study, point));
  }
  json["lru_curve"] = lru_curve_json(study, most_points);
  json["lru_curve_by_layer"] = layers_json(study, most_points);
  return json;
}

std::string to_table(const CurveStudy& study) {
  std::string text;
  const Out out(text);
  fmt::format_to(out, "{}: {}\n", printable(study.trace_path), study.stream.geometry().describe());
  if (!study.complete()) {
    fmt::format_to(out, "INTERRUPTED: only the points that were finished follow.\n");
  }
  fmt::format_to(out, "hit ratio of decode, % (with prefill), {}\n\n",
                 study.semantics == CacheSemantics::step
                     ? "the experts of a step are looked up together and held during the step"
                     : "each expert is a request of its own");
  hit_ratios(out, study);
  sizes_for_lru(out, study);
  marks(out, study);
  causes(out, study);
  return text;
}

}  // namespace spillway
