#include <fmt/format.h>

#include "app/cli/printable.h"
#include "app/plan/report.h"
#include "core/units.h"

namespace spillway {
namespace {

std::string range(const plan::Range& range, double unit, const char* name) {
  return fmt::format("{:.4g} ({:.4g} to {:.4g}){}{}", range.central * unit, range.low * unit,
                     range.high * unit, *name == '\0' ? "" : " ", name);
}

std::string gb(double bytes) {
  return fmt::format("{:.4g} GB", bytes / 1e9);
}

std::string bytes_lines(const plan::ModelBytes& model) {
  return fmt::format(
      "bytes\n"
      "  resident = embedding {} + head {} + attention {} + shared FFN {} + router, norms "
      "{} + experts' scales {} = {}\n"
      "  experts  = {} layers × {} × {} bytes = {}\n"
      "  context  = tokens × {} bytes + min(tokens, {}) × {} bytes + {} of state\n",
      gb(double(model.embedding)), model.tied_head ? "tied" : gb(double(model.head)), gb(double(model.mixer)),
      gb(double(model.shared_ffn)), gb(double(model.router_and_norms)),
      gb(double(model.expert_count() * model.expert_scales)), gb(double(model.resident())), model.moe_layers,
      model.experts_per_layer, model.expert, gb(double(model.bank())), model.full_kv_per_token, model.window,
      model.window_kv_per_token, format_bytes(model.state));
}

std::string compute_lines(const plan::Question& question, const plan::Runtime& runtime,
                          const plan::TokenTime& time) {
  const plan::Machine& machine = question.machine;
  const plan::TokenTraffic& traffic = time.traffic;
  if (question.recorded) {
    return fmt::format("  compute as recorded = {:.2f} ms, of which experts {:.2f} ms\n",
                       1e3 * time.weights_s, 1e3 * time.experts_s);
  }
  return fmt::format(
      "  weights = the slower of: (resident {} + experts {} × {} × {} bytes = {} + state read and written "
      "{}) ÷ ({:.4g} GB/s × {}); and {:.4g} billion weights ÷ {} billion/s = {:.2f} ms\n"
      "  attention = the slower of: keys and values {} ÷ the same rate; and keys and values × {:.3g} "
      "query heads ÷ ({:.4g} GB/s × {}) = {:.2f} ms\n"
      "  starting and waiting = {} layers × {} × {} of {} = {:.2f} ms\n",
      gb(double(traffic.weights)), question.model.moe_layers, question.top_k, question.model.expert,
      gb(double(traffic.experts)), gb(double(traffic.state)), machine.bandwidth / 1e9,
      range(machine.memory_share, 1, "reached"), double(traffic.multiplications) / 1e9,
      range(machine.arithmetic, 1e-9, ""), 1e3 * time.weights_s, gb(double(traffic.kv)),
      question.model.query_heads_per_kv, machine.bandwidth / 1e9, range(machine.attention_rate, 1, ""),
      1e3 * time.attention_s, question.model.layers, range(machine.launch_s, 1e6, "µs"),
      range(runtime.launch_factor, 1, "times"), printable(runtime.name), 1e3 * time.launches_s);
}

std::string read_lines(const PlanStudy& study, const plan::TokenTime& time) {
  const plan::Question& question = study.question;
  const plan::Runtime& runtime = study.plan.runtime;
  return fmt::format(
      "  hit ratio = {:.4f} at {:.1f} % of the experts ({}), misses × {}\n"
      "  cached reads = {} ÷ {:.4g} GB/s = {:.2f} ms\n"
      "  drive = {} × {:.4f} missed ÷ ({:.4g} GB/s × {}) + {:.2f} ms of latency = {:.2f} ms\n"
      "  hidden = {} × the smaller of the drive's time and the experts' share of the weights' time "
      "= {:.2f} ms\n",
      time.hit_ratio, 100 * study.plan.memory.cached_share(), printable(study.locality_source),
      range(question.locality.miss_spread, 1, ""), gb(time.cached_bytes), question.machine.copy_rate / 1e9,
      1e3 * time.cached_reads_s, gb(double(time.traffic.experts)), 1 - time.hit_ratio,
      plan::array_bandwidth(question.drive) / 1e9, range(runtime.drive_share, 1, "reached"),
      1e3 * time.latency_s, 1e3 * time.drive_s, range(runtime.hidden, 1, ""), 1e3 * time.hidden_s);
}

}  // namespace

std::string plan_explanation(const PlanStudy& study) {
  std::string text = "\n" + bytes_lines(study.question.model);
  if (!study.plan.speed) {
    return text;
  }
  const plan::Forecast& forecast = *study.plan.speed;
  text +=
      "time of a token; each constant as its most likely value (range), with its sources in the presets\n";
  text += compute_lines(study.question, study.plan.runtime, forecast.time);
  if (study.plan.streams) {
    text += read_lines(study, forecast.time);
  }
  text += fmt::format(
      "  together {:.2f} ms = {:.2f} tok/s; likely {:.2f} to {:.2f}: each constant is set to the ends of its "
      "range in turn, and the deviations are added in quadrature\n",
      1e3 * forecast.time.total_s(), forecast.central, forecast.low, forecast.high);
  return text;
}

}  // namespace spillway
