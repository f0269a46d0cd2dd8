#include <cmath>
#include <map>

#include "app/report/report.h"
#include "core/json.h"

namespace spillway {
namespace {

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json latency_json(const std::vector<Nanoseconds>& latencies) {
  Json json;
  for (const auto& [name, share] :
       {std::pair{"p50_ns", 0.50}, {"p95_ns", 0.95}, {"p99_ns", 0.99}, {"max_ns", 1.0}}) {
    json[name] = quantile(latencies, share).count();
  }
  // Buckets a quarter of an octave wide: 19 % resolution from nanoseconds to hours in few lines.
  std::map<int64_t, uint64_t> buckets;
  for (const Nanoseconds latency : latencies) {
    const double quarter_octaves = std::ceil(4 * std::log2(double(std::max<int64_t>(latency.count(), 1))));
    ++buckets[std::llround(std::exp2(quarter_octaves / 4))];
  }
  json["histogram"] = Json::array();
  for (const auto& [upper_bound_ns, count] : buckets) {
    json["histogram"].push_back({{"upper_bound_ns", upper_bound_ns}, {"count", count}});
  }
  return json;
}

Json text_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

Json phase_json(const PhaseMetrics& phase) {
  const double seconds_taken = seconds(phase.wall);
  return {{"passes", phase.passes},
          {"tokens", phase.tokens},
          {"tok_per_s", seconds_taken > 0 ? Json(double(phase.tokens) / seconds_taken) : Json(nullptr)},
          {"accesses", phase.accesses},
          {"hits", phase.hits},
          {"late", phase.late},
          {"misses", phase.misses},
          {"bypasses", phase.bypasses},
          {"evictions", phase.evictions},
          {"hit_ratio", phase.hit_ratio()},
          {"demanded_bytes", phase.bytes_demanded},
          {"missed_bytes", phase.bytes_missed},
          {"prefetches_issued", phase.prefetches_issued},
          {"prefetches_useful", phase.prefetches_useful},
          {"prefetches_wasted", phase.prefetches_wasted},
          {"prefetched_bytes", phase.bytes_prefetched},
          {"wasted_bytes", phase.bytes_wasted},
          {"wall_ns", phase.wall.count()},
          {"stall_ns", phase.stall.count()},
          {"attention_ns", phase.attention.count()},
          {"experts_ns", phase.experts.count()},
          {"latency", latency_json(phase.pass_latency)}};
}

Json run_json(const Report& report) {
  return {{"command", report.command},
          {"command_line", report.command_line},
          {"date", report.date},
          {"version", SPILLWAY_VERSION},
          {"commit", program_commit()},
          {"host",
           {{"kernel", report.host.kernel},
            {"cpu", report.host.cpu},
            {"cores", report.host.cores},
            {"memory_bytes", report.host.memory_bytes}}},
          {"store",
           {{"files", report.store.files},
            {"file_system", report.store.file_system},
            {"device", report.store.device},
            {"read_ahead_bytes", or_null(report.store.read_ahead_bytes)}}},
          {"identity",
           {{"trace", text_or_null(report.identity.trace)},
            {"store", text_or_null(report.identity.store)},
            {"model", text_or_null(report.identity.model)}}},
          {"interrupted", report.interrupted}};
}

Json io_json(const Report& report) {
  const IoFacts& io = report.io;
  return {{"read_bytes", io.counts.bytes_read},
          {"device_bytes", or_null(io.device_bytes)},
          {"from_ram_share", or_null(share_from_ram(report))},
          {"verify", io.verify},
          {"verified_bytes", io.counts.bytes_verified},
          {"verified_whole_bytes", io.counts.bytes_verified_whole},
          {"lost_page_seen", or_null(io.lost_page_seen)},
          {"retries", io.counts.retries},
          {"arena_bytes", io.arena_bytes},
          {"arena_moved_bytes", io.arena_moved_bytes},
          {"arena_moving_ns", io.counts.moving.count()},
          {"arena_pages", io.arena_pages},
          {"cpu_s", io.cpu_s},
          {"stolen_cpu_s", or_null(io.stolen_cpu_s)},
          {"stolen_share", or_null(stolen_share(report))},
          {"stopped_ns", io.stopped ? Json(io.stopped->count()) : Json()},
          {"wall_ns", io.wall.count()},
          {"backend_note", report.backend_note}};
}

Json live_json(const LiveFacts& live) {
  Json recall = Json::array();
  for (const auto& [layers, share] : live.lookahead_recall) {
    recall.push_back({{"layers_ahead", layers}, {"recall", share}});
  }
  return {{"resident_bytes", live.resident_bytes},
          {"context_bytes", live.context_bytes},
          {"peak_memory_bytes", or_null(live.peak_bytes)},
          {"generated_tokens", live.generated_tokens},
          {"lookahead", recall}};
}

// Writes the gap bar by bar, or null if it was not explained.
Json bars_json(const std::optional<Gap>& gap) {
  if (!gap) {
    return nullptr;
  }
  static const char* const kHow[] = {"counted", "measured", "simulated"};
  Json bars = Json::array();
  for (const GapBar& bar : gap->bars) {
    bars.push_back({{"name", bar.name},
                    {"s_per_token", bar.s_per_token},
                    {"how", kHow[size_t(bar.how)]},
                    {"explanation", bar.explanation}});
  }
  return {{"seed_s_per_token", gap->seed_s_per_token},
          {"achieved_s_per_token", gap->achieved_s_per_token},
          {"residual_s_per_token", gap->residual_s_per_token()},
          {"bars", bars}};
}

Json gap_json(const Report& report) {
  const double achieved = achieved_tok_per_s(report);
  const auto share_of = [achieved](const std::optional<double>& ceiling) {
    return ceiling && *ceiling > 0 ? Json(achieved / *ceiling) : Json(nullptr);
  };
  const Ceilings& ceilings = report.ceilings;
  return {{"drive_bytes_per_s",
           ceilings.drive.bytes_per_s > 0 ? Json(ceilings.drive.bytes_per_s) : Json(nullptr)},
          {"drive_measured", ceilings.drive.how},
          {"seed_ceiling_tok_per_s", or_null(ceilings.seed_tok_per_s)},
          {"physical_ceiling_tok_per_s", or_null(ceilings.physical_tok_per_s)},
          {"policy_ceiling_tok_per_s", or_null(ceilings.policy_tok_per_s)},
          {"achieved_tok_per_s", achieved},
          {"share_of_seed_ceiling", share_of(ceilings.seed_tok_per_s)},
          {"share_of_physical_ceiling", share_of(ceilings.physical_tok_per_s)},
          {"share_of_policy_ceiling", share_of(ceilings.policy_tok_per_s)},
          {"explained", bars_json(report.gap)}};
}

// Returns the warnings with the reason for exceeding the ceilings, which the table shows beside them.
std::vector<std::string> all_warnings(const Report& report) {
  std::vector<std::string> warnings = report.warnings;
  if (std::string why = beyond_ceilings(report); !why.empty()) {
    warnings.push_back(std::move(why));
  }
  return warnings;
}

}  // namespace

std::string program_commit() {
  return SPILLWAY_COMMIT;
}

Json to_json(const Report& report) {
  Json config = Json::object();
  for (const auto& [key, value] : report.config) {
    config[key] = value;
  }
  return {{"schema", "spillway.report/1"},
          {"run", run_json(report)},
          {"config", config},
          {"traits", to_json(report.traits)},
          {"seed", report.seed},
          {"clock", report.virtual_time ? "virtual" : "steady"},
          {"trace",
           {{"path", report.trace_path},
            {"model", report.model},
            {"layers", report.geometry.layers},
            {"experts_per_layer", report.geometry.experts_per_layer},
            {"top_k", report.geometry.top_k},
            {"used_top_k", report.geometry.used_top_k},
            {"expert_bytes", report.geometry.expert_bytes},
            {"token_cycle_bytes", report.geometry.token_cycle_bytes()}}},
          {"phases",
           {{"prefill", phase_json(report.metrics.prefill())},
            {"warm_up", phase_json(report.metrics.warm_up())},
            {"measured", phase_json(report.metrics.decode())},
            {"total", phase_json(report.metrics.total())}}},
          {"io", io_json(report)},
          {"live", report.live ? live_json(*report.live) : Json(nullptr)},
          {"gap", gap_json(report)},
          {"digest", report.digest},
          {"warnings", all_warnings(report)}};
}

}  // namespace spillway
