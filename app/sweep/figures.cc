#include "app/sweep/figures.h"

#include <algorithm>
#include <optional>
#include <sstream>

#include "app/report/traits.h"
#include "core/json.h"
#include "core/units.h"

namespace spillway {
namespace {

struct FigureOf {
  const char* name;
  const char* path;
  Unit unit;
  const char* per = nullptr;  // path of what it is divided by
};

// The measured phase is decode behind the warm-up.
constexpr const char* kTokenCount = "phases/measured/tokens";
const std::vector<FigureOf> kOfReport = {
    {"tok_per_s", "phases/measured/tok_per_s", Unit::tok_per_s},
    {"hit_ratio", "phases/measured/hit_ratio", Unit::share},
    {"p50_ns", "phases/measured/latency/p50_ns", Unit::nanoseconds},
    {"p95_ns", "phases/measured/latency/p95_ns", Unit::nanoseconds},
    {"p99_ns", "phases/measured/latency/p99_ns", Unit::nanoseconds},
    {"max_ns", "phases/measured/latency/max_ns", Unit::nanoseconds},
    {"stall_ns_per_token", "phases/measured/stall_ns", Unit::nanoseconds, kTokenCount},
    {"missed_bytes_per_token", "phases/measured/missed_bytes", Unit::bytes, kTokenCount},
    {"prefetched_bytes_per_token", "phases/measured/prefetched_bytes", Unit::bytes, kTokenCount},
    {"wasted_bytes_per_token", "phases/measured/wasted_bytes", Unit::bytes, kTokenCount},
    {"prefill_ns", "phases/prefill/wall_ns", Unit::nanoseconds},
    {"read_bytes", "io/read_bytes", Unit::bytes},
    {"from_ram_share", "io/from_ram_share", Unit::share},
    {"stolen_share", "io/stolen_share", Unit::share},
    {"cpu_s", "io/cpu_s", Unit::seconds},
    {"drive_bytes_per_s", "gap/drive_bytes_per_s", Unit::bytes_per_s},
    {"seed_ceiling_tok_per_s", "gap/seed_ceiling_tok_per_s", Unit::tok_per_s},
    {"policy_ceiling_tok_per_s", "gap/policy_ceiling_tok_per_s", Unit::tok_per_s},
    {"physical_ceiling_tok_per_s", "gap/physical_ceiling_tok_per_s", Unit::tok_per_s},
    {"peak_memory_bytes", "live/peak_memory_bytes", Unit::bytes},
    {"perplexity", "perplexity/value", Unit::number}};

const std::vector<FigureOf> kOfPlan = {
    {"tok_per_s", "plan/speed/tok_per_s", Unit::tok_per_s},
    {"tok_per_s_low", "plan/speed/tok_per_s_low", Unit::tok_per_s},
    {"tok_per_s_high", "plan/speed/tok_per_s_high", Unit::tok_per_s},
    {"hit_ratio", "plan/speed/hit_ratio", Unit::share},
    {"missed_bytes_per_token", "plan/speed/missed_bytes", Unit::bytes},
    {"cache_bytes", "plan/memory/cache_bytes", Unit::bytes},
    {"context_bytes", "plan/memory/context_bytes", Unit::bytes},
    {"seed_ceiling_tok_per_s", "plan/seed_ceiling_tok_per_s", Unit::tok_per_s}};

// What is at `path` (keys with a slash between them) if that is a number.
std::optional<double> number_at(const Json& json, const std::string& path) {
  const Json* at = &json;
  std::istringstream keys(path);
  for (std::string key; std::getline(keys, key, '/');) {
    const auto found = at->find(key);  // of what is no object: the end
    if (!at->is_object() || found == at->end()) {
      return std::nullopt;
    }
    at = &*found;
  }
  return at->is_number() ? std::optional(at->get<double>()) : std::nullopt;
}

bool is_known(const Json& report) {
  const PolicyTraits traits = traits_of_report(report);
  return report.value("clock", Json()) == "virtual" && !traits.evict.is_random && !traits.prefetch.is_random;
}

std::vector<Figure> figures_by(const std::vector<FigureOf>& table, const Json& report, bool known) {
  std::vector<Figure> figures;
  for (const FigureOf& of : table) {
    std::optional<double> value = number_at(report, of.path);
    if (value && of.per != nullptr) {
      const double per = number_at(report, of.per).value_or(0);
      value = per > 0 ? std::optional(*value / per) : std::nullopt;
    }
    if (value) {
      figures.push_back({of.name, of.unit, *value, known});
    }
  }
  return figures;
}

std::vector<Figure> figures_of_curve(const Json& curve) {
  std::vector<Figure> figures;
  const auto points = curve.find("points");
  if (points == curve.end() || !points->is_array()) {
    return figures;
  }
  for (const Json& point : *points) {
    const std::optional<double> bytes = number_at(point, "cache_bytes");
    const Json policy = point.is_object() ? point.value("policy", Json()) : Json();
    if (!bytes || !policy.is_string()) {
      continue;
    }
    const std::string of = fmt::format("{} {}", policy.get<std::string>(), format_bytes(uint64_t(*bytes)));
    for (const char* name : {"hit_ratio", "hit_ratio_decode"}) {
      if (const std::optional<double> value = number_at(point, name)) {
        figures.push_back(
            {fmt::format("{} {}", name, of), Unit::share, *value, !traits_of_curve_point(point).is_random});
      }
    }
  }
  return figures;
}

}  // namespace

std::vector<Figure> figures_of(const Json& result) {
  const Json schema = result.is_object() ? result.value("schema", Json()) : Json();
  if (schema == "spillway.report/1") {
    return figures_by(kOfReport, result, is_known(result));
  }
  if (schema == "spillway.plan/1") {
    return figures_by(kOfPlan, result, true);
  }
  return schema == "spillway.curve/1" ? figures_of_curve(result) : std::vector<Figure>();
}

std::vector<std::string> usual_figures() {
  return {"tok_per_s", "hit_ratio", "p50_ns", "p99_ns", "missed_bytes_per_token", "perplexity"};
}

std::string format_figure(double value, Unit unit) {
  switch (unit) {
    case Unit::tok_per_s:
      return fmt::format("{:.4g} tok/s", value);
    case Unit::share:
      return fmt::format("{:.2f} %", 100 * value);
    case Unit::nanoseconds:
      return format_duration(Nanoseconds(int64_t(value)));
    case Unit::bytes:
      return format_bytes(uint64_t(value));
    case Unit::bytes_per_s:
      return format_bytes(uint64_t(value)) + "/s";
    case Unit::seconds:
      return fmt::format("{:.4g} s", value);
    case Unit::number:
      break;
  }
  return fmt::format("{:.4g}", value);
}

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.empty()           ? 0
         : values.size() % 2 == 1 ? values[middle]
                                  : (values[middle - 1] + values[middle]) / 2;
}

bool is_compared_by_ratio(Unit unit) {
  return unit != Unit::share;
}

}  // namespace spillway
