
#include "core/json.h"

#include "app/plan/report.h"

namespace spillway {
namespace {

Json forecast_json(const plan::Forecast& forecast) {
  const plan::TokenTime& time = forecast.time;
  return {{"tok_per_s", forecast.central},
          {"tok_per_s_low", forecast.low},
          {"tok_per_s_high", forecast.high},
          {"token_s",
           {{"weights_s", time.weights_s},
            {"attention_s", time.attention_s},
            {"launches_s", time.launches_s},
            {"cached_reads_s", time.cached_reads_s},
            {"drive_s", time.drive_s},
            {"hidden_s", time.hidden_s},
            {"total_s", time.total_s()}}},
          {"limited_by_arithmetic", time.by_arithmetic},
          {"hit_ratio", time.hit_ratio},
          {"missed_bytes", time.missed_bytes}};
}

Json memory_json(const plan::MemoryPlan& memory) {
  return {{"total_bytes", memory.total},       {"system_bytes", memory.system},
          {"resident_bytes", memory.resident}, {"context_bytes", memory.context},
          {"work_bytes", memory.work},         {"cache_bytes", memory.cache},
          {"experts_bytes", memory.bank},      {"needed_bytes", memory.needed()},
          {"peak_bytes", memory.peak()},       {"fits", memory.fits()}};
}

Json answer_json(const plan::Plan& plan) {
  return {{"runtime", plan.runtime.name},
          {"streams", plan.streams},
          {"memory", memory_json(plan.memory)},
          {"seed_ceiling_tok_per_s", plan.seed_ceiling},
          {"speed", plan.speed ? forecast_json(*plan.speed) : Json()}};
}

Json variants_json(const std::vector<PlanVariant>& variants) {
  Json list = Json::array();
  for (const PlanVariant& variant : variants) {
    list.push_back({{"value", variant.what}, {"plan", answer_json(variant.plan)}});
  }
  return list;
}

Json offer_json(const std::optional<plan::Offer>& offer) {
  if (!offer) {
    return nullptr;
  }
  return {{"memory_bytes", offer->memory},
          {"drive", offer->drive.name},
          {"drives", offer->drive.count},
          {"price_usd", offer->price},
          {"plan", answer_json(offer->plan)}};
}

Json purchases_json(const PlanStudy& study) {
  Json list = Json::array();
  for (const PlanPurchase& purchase : study.purchases) {
    list.push_back({{"machine", purchase.machine},
                    {"likely", offer_json(purchase.likely)},
                    {"surely", offer_json(purchase.surely)},
                    {"fastest", offer_json(purchase.fastest)}});
  }
  return list;
}

Json question_json(const PlanStudy& study) {
  const plan::Question& question = study.question;
  return {{"model", question.model.name},
          {"bits", study.bits},
          {"experts_per_token", question.top_k},
          {"context_tokens", question.context},
          {"machine", question.machine.name},
          {"memory_bandwidth_bytes_per_s", question.machine.bandwidth},
          {"drive", question.drive.name},
          {"drives", question.drive.count},
          {"drive_bandwidth_bytes_per_s", question.drive.bandwidth},
          {"drive_latency_s", question.drive.latency_s},
          {"locality", study.locality_source},
          {"target_tok_per_s", study.request.target > 0 ? Json(study.request.target) : Json()}};
}

}  // namespace

Json plan_json(const PlanStudy& study) {
  return {{"schema", "spillway.plan/1"},
          {"question", question_json(study)},
          {"plan", answer_json(study.plan)},
          {"variants",
           {{"drives", variants_json(study.drive_counts)},
            {"experts_per_token", variants_json(study.top_ks)},
            {"bits", variants_json(study.bit_widths)},
            {"context_tokens", variants_json(study.contexts)},
            {"runtime", variants_json(study.paths)}}},
          {"sweep",
           {{"memory_bytes", study.memories},
            {"drive_bandwidth_bytes_per_s", study.bandwidths},
            {"tok_per_s", study.speeds},
            {"memory_enough_bytes", study.memory_enough},
            {"drive_bandwidth_enough_bytes_per_s",
             study.bandwidth_enough ? Json(*study.bandwidth_enough) : Json()}}},
          {"purchases", purchases_json(study)}};
}

Json claims_json(const Claims& claims) {
  Json covered = Json::array();
  for (const Claim& claim : claims.covered) {
    covered.push_back({{"system", claim.system},
                       {"what", claim.what},
                       {"published_tok_per_s", claim.published},
                       {"error", claim.error()},
                       {"within_interval", claim.within_interval()},
                       {"note", claim.note},
                       {"model", claim.inputs.model.name},
                       {"machine", claim.inputs.machine.name},
                       {"runtime", claim.inputs.runtime.name},
                       {"experts_per_token", claim.inputs.top_k},
                       {"context_tokens", claim.inputs.context},
                       {"cached_share", claim.inputs.cached_share},
                       {"speed", forecast_json(claim.forecast)}});
  }
  Json not_covered = Json::array();
  for (const UncoveredClaim& claim : claims.not_covered) {
    not_covered.push_back({{"system", claim.system},
                           {"what", claim.what},
                           {"published_tok_per_s", claim.published > 0 ? Json(claim.published) : Json()},
                           {"why", claim.why}});
  }
  return {{"schema", "spillway.plan_claims/1"},
          {"within_15_percent", claims.within(0.15)},
          {"within_20_percent", claims.within(0.2)},
          {"covered", covered},
          {"not_covered", not_covered}};
}

}  // namespace spillway
