#include <algorithm>
#include <array>

#include "app/plan/sources.h"
#include "app/run/open_trace.h"
#include "runtime/cache_run.h"

namespace spillway {
namespace {

// Shares of all experts at which hits are counted; denser where curves bend.
constexpr std::array<double, 15> kShares = {0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.16,
                                            0.2,  0.25, 0.32, 0.4,  0.5,  0.65, 0.8};

Result<double> hit_ratio(const OpenTrace& trace, const EvictionChoice& policy, uint64_t cache_bytes) {
  const PolicyEnv env{&trace.steps.info(), cache_bytes, 1};
  Result<std::unique_ptr<EvictionPolicy>> made = policy.make(env);
  if (!made) {
    return propagate(made);
  }
  const std::unique_ptr<StepSource> source = trace.steps.cursor();
  Result<CacheRun> run = run_cache(*source, **made, cache_bytes);
  return run ? Result<double>(run->decode.hit_ratio()) : propagate(run);
}

// Returns the mean compute time of the decoded tokens, or nothing if a step lacks its times.
Result<std::optional<plan::RecordedCompute>> compute_time(const OpenTrace& trace) {
  const std::unique_ptr<StepSource> source = trace.steps.cursor();
  Nanoseconds attention{0};
  Nanoseconds experts{0};
  Step step;
  for (;;) {
    Result<bool> more = source->next(step);
    if (!more) {
      return propagate(more);
    }
    if (!*more) {
      break;
    }
    if (step.phase != Phase::decode) {
      continue;
    }
    if (!step.attention_time || !step.experts_time) {
      return std::optional<plan::RecordedCompute>();
    }
    attention += *step.attention_time;
    experts += *step.experts_time;
  }
  const auto tokens = double(trace.steps.decode_passes());
  return std::optional(plan::RecordedCompute{seconds(attention) / tokens, seconds(experts) / tokens});
}

}  // namespace

Result<TraceFacts> read_trace_facts(const std::string& path, const EvictionChoice& policy) {
  Result<OpenTrace> trace = open_trace(path, std::nullopt);
  if (!trace) {
    return propagate(trace);
  }
  TraceFacts facts;
  facts.decode_tokens = trace->steps.decode_passes();
  if (facts.decode_tokens == 0) {
    return failed("{}: the trace has no decoded token", path);
  }
  const ModelGeometry& geometry = trace->header.geometry;
  facts.locality.name = path;
  facts.locality.miss_spread = {1, 1, 1};
  for (const double share : kShares) {
    const auto bytes = uint64_t(share * double(geometry.total_bytes()));
    if (bytes < geometry.largest_token_step_bytes()) {
      continue;
    }
    Result<double> hit = hit_ratio(*trace, policy, bytes);
    if (!hit) {
      return propagate(hit);
    }
    // A larger cache may hit less by chance. The profile never falls, so that no plan depends on chance.
    const double least = facts.locality.points.empty() ? 0 : facts.locality.points.back().hit;
    facts.locality.points.push_back({share, std::max(*hit, least)});
  }
  if (facts.locality.points.empty()) {
    return failed(
        "{}: the model has so few experts that one step uses most of them; name a --locality preset", path);
  }
  Result<std::optional<plan::RecordedCompute>> compute = compute_time(*trace);
  if (!compute) {
    return propagate(compute);
  }
  facts.compute = *compute;
  return facts;
}

}  // namespace spillway
