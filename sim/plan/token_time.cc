#include "sim/plan/token_time.h"

#include <algorithm>
#include <cmath>

#include "core/expects.h"

namespace spillway::plan {
namespace {

// The values, one from each range, that an evaluation uses.
struct Constants {
  double memory_share;
  double arithmetic;
  double launch_s;
  double attention_rate;
  double drive_share;
  double hidden;
  double miss_factor;
};

Constants central(const Decode& decode) {
  return {decode.machine.memory_share.central,
          decode.machine.arithmetic.central,
          decode.machine.launch_s.central * decode.runtime.launch_factor.central,
          decode.machine.attention_rate.central,
          decode.runtime.drive_share.central,
          decode.runtime.hidden.central,
          decode.locality.miss_spread.central};
}

double hit_ratio(const Decode& decode, double miss_factor) {
  if (decode.cached_share >= 1) {
    return 1;
  }
  if (decode.hit_ratio) {
    return *decode.hit_ratio;
  }
  return 1 - std::clamp((1 - decode.locality.hit(decode.cached_share)) * miss_factor, 0.0, 1.0);
}

void add_compute(const Decode& decode, const Constants& constants, TokenTime& time) {
  const double memory_rate = decode.machine.bandwidth * constants.memory_share;
  const TokenTraffic& traffic = time.traffic;
  const double kv = double(traffic.kv);
  const double by_heads =
      kv * decode.model.query_heads_per_kv / (decode.machine.bandwidth * constants.attention_rate);
  const double by_memory = double(traffic.weights + traffic.experts + traffic.state) / memory_rate;
  const double by_arithmetic = double(traffic.multiplications) / constants.arithmetic;
  time.by_arithmetic = by_arithmetic > by_memory;
  time.weights_s = std::max(by_memory, by_arithmetic);
  time.experts_s =
      time.weights_s * double(traffic.experts) / double(traffic.weights + traffic.experts + traffic.state);
  time.attention_s = std::max(kv / memory_rate, by_heads);
  time.launches_s = decode.model.layers * constants.launch_s;
  if (decode.recorded) {
    time.by_arithmetic = false;
    time.weights_s = decode.recorded->attention_s + decode.recorded->experts_s;
    time.experts_s = decode.recorded->experts_s;
    time.attention_s = time.launches_s = 0;
  }
}

void add_reads(const Decode& decode, const Constants& constants, TokenTime& time) {
  const double wanted = double(time.traffic.experts);
  time.hit_ratio = hit_ratio(decode, constants.miss_factor);
  time.missed_bytes = wanted * (1 - time.hit_ratio);
  if (decode.runtime.path == ReadPath::page_cache && decode.cached_share < 1) {
    time.cached_bytes = wanted * time.hit_ratio;
    time.cached_reads_s = time.cached_bytes / decode.machine.copy_rate;
  }
  if (time.missed_bytes <= 0) {
    return;
  }
  // This assumes that each of a layer's experts misses independently.
  const double layers_that_read = decode.model.moe_layers * (1 - std::pow(time.hit_ratio, decode.top_k));
  time.latency_s = layers_that_read * decode.drive.latency_s;
  time.drive_s = time.latency_s + time.missed_bytes / (array_bandwidth(decode.drive) * constants.drive_share);
  time.hidden_s = constants.hidden * std::min(time.drive_s, time.experts_s);
}

TokenTime evaluate(const Decode& decode, const Constants& constants) {
  TokenTime time;
  time.traffic = token_traffic(decode.model, decode.top_k, decode.context);
  add_compute(decode, constants, time);
  add_reads(decode, constants, time);
  return time;
}

// Sums of the squared logarithms by which a token takes longer or shorter when one constant is at its ends.
struct Deviation {
  double slower = 0;
  double faster = 0;

  void add(double total_s, double base_s) {
    const double log = std::log(total_s / base_s);
    (log > 0 ? slower : faster) += log * log;
  }
};

}  // namespace

Forecast forecast(const Decode& decode) {
  Expects(decode.top_k > 0 && decode.machine.bandwidth > 0);
  Expects(decode.cached_share >= 1 || array_bandwidth(decode.drive) > 0);
  const Constants base = central(decode);
  Forecast result;
  result.time = evaluate(decode, base);
  const Machine& machine = decode.machine;
  const Runtime& runtime = decode.runtime;
  const auto product = [](const Range& a, const Range& b) {
    // The product of two independent factors: their deviations are added in quadrature, too.
    const double down = std::hypot(std::log(a.low / a.central), std::log(b.low / b.central));
    const double up = std::hypot(std::log(a.high / a.central), std::log(b.high / b.central));
    const double middle = a.central * b.central;
    return Range{middle * std::exp(-down), middle, middle * std::exp(up)};
  };
  const std::pair<double Constants::*, Range> ranges[] = {
      {&Constants::memory_share, machine.memory_share},
      {&Constants::arithmetic, machine.arithmetic},
      {&Constants::launch_s, product(machine.launch_s, runtime.launch_factor)},
      {&Constants::attention_rate, machine.attention_rate},
      {&Constants::drive_share, runtime.drive_share},
      {&Constants::hidden, runtime.hidden},
      {&Constants::miss_factor, decode.locality.miss_spread}};
  Deviation deviation;
  const double total = result.time.total_s();
  for (const auto& [constant, range] : ranges) {
    for (const double end : {range.low, range.high}) {
      Constants varied = base;
      varied.*constant = end;
      deviation.add(evaluate(decode, varied).total_s(), total);
    }
  }
  result.central = 1 / total;
  result.low = result.central * std::exp(-std::sqrt(deviation.slower));
  result.high = result.central * std::exp(std::sqrt(deviation.faster));
  return result;
}

}  // namespace spillway::plan
