#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <string>
#include <vector>

#include "core/digest.h"
#include "policies/list.h"
#include "runtime/cache_run.h"
#include "runtime/metrics.h"
#include "runtime/paced_compute.h"
#include "runtime/session.h"
#include "sim/list.h"
#include "sim/simulated_backend.h"
#include "stores/unmade_store.h"
#include "traces/memory_trace.h"
#include "traces/synth.h"

// Measures how many expert accesses a second `spillway simulate` handles on one core: its session over a
// trace in memory, against the linear device, without prefetch or compute. Before the timing, the run's
// report is compared with a plain model of the cache and of the drive: a fast wrong simulation is no result.
namespace spillway {
namespace {

constexpr uint64_t kTokens = 4000;
constexpr uint64_t kExpertBytes = 1'700'000;
constexpr const char* kDevice = "linear:bandwidth=3.6GB/s,latency=80us";

template <class T>
T must(Result<T> result) {
  if (!result) {
    fmt::print(stderr, "session_bench: {}\n", result.error().message);
    std::exit(1);
  }
  return std::move(*result);
}

// Returns a trace of 48 layers with 256 experts, 8 of which a token uses. Popularity and reuse are the
// defaults of `spillway trace synth`.
const MemoryTrace& trace() {
  static const MemoryTrace made = [] {
    const ModelGeometry shape{48, 256, 8, 8, std::vector<uint64_t>(48, kExpertBytes)};
    SynthSource source(shape, must(make_router_model(shape, 0.8, 0.35, 1)), 0, kTokens, 1);
    return must(MemoryTrace::load(source));
  }();
  return made;
}

struct Outcome {
  Metrics metrics;
  uint64_t digest = 0;
};

Outcome simulate(uint64_t cache_bytes, const std::string& policy_name) {
  const SourceInfo& info = trace().info();
  Outcome outcome;
  DecisionDigest digest;
  Observers observers(outcome.metrics, digest);
  const std::unique_ptr<StepSource> source = trace().cursor();
  const PolicyEnv env{&info, cache_bytes, 1};
  const std::unique_ptr<EvictionPolicy> policy = must(eviction_policies().known(policy_name).make(env));
  const std::unique_ptr<Prefetcher> none = must(prefetchers().known("none").make(env));
  const std::unique_ptr<Compute> compute = must(make_paced_compute({}, info));
  const UnmadeStore store = imagined_store(info.geometry);
  VirtualClock clock;
  SimulatedBackend backend(must(device_models().known(kDevice).make({1})), clock, {});
  Pager pager(info.geometry, {.capacity_bytes = cache_bytes}, *policy, observers);
  Loader loader(info.geometry, store, backend, nullptr, pager, clock, observers, {});
  Session session({*source, *none, pager, loader, *compute, clock, observers});
  const Result<void> ran = session.run([] { return false; });
  if (!ran) {
    fmt::print(stderr, "session_bench: {}\n", ran.error().message);
    std::exit(1);
  }
  outcome.digest = digest.value();
  return outcome;
}

// The same cache and drive in their simplest form: a list in the order of use, and steps that each wait for
// all their misses.
struct PlainModel {
  uint64_t hits = 0;
  uint64_t misses = 0;
  Nanoseconds time{0};

  explicit PlainModel(size_t slots) {
    const std::unique_ptr<StepSource> source = trace().cursor();
    std::list<ExpertId> by_use;
    std::vector<std::list<ExpertId>::iterator> where(trace().info().geometry.expert_count(), by_use.end());
    Step step;
    while (must(source->next(step))) {
      uint64_t missed = 0;
      for (const ExpertId expert : step.experts) {
        const auto found = where[index_of(expert)];
        if (found != by_use.end()) {
          by_use.splice(by_use.end(), by_use, found);
          continue;
        }
        ++missed;
        if (by_use.size() == slots) {
          // The victim is never an expert of the same step, even if that expert is the oldest.
          const auto victim = std::find_if(by_use.begin(), by_use.end(), [&](ExpertId other) {
            return std::find(step.experts.begin(), step.experts.end(), other) == step.experts.end();
          });
          where[index_of(*victim)] = by_use.end();
          by_use.erase(victim);
        }
        where[index_of(expert)] = by_use.insert(by_use.end(), expert);
      }
      hits += step.experts.size() - missed;
      misses += missed;
      time += missed == 0 ? Nanoseconds(0) : kLatency + int64_t(missed) * kTransfer;
    }
  }

  static constexpr Nanoseconds kLatency{80'000};
  static constexpr Nanoseconds kTransfer{(kExpertBytes * 10 + 35) / 36};
};

bool right(uint64_t slots) {
  const Outcome outcome = simulate(slots * kExpertBytes, "lru");
  const PlainModel model(slots);
  const PhaseMetrics& decode = outcome.metrics.decode();
  return decode.hits == model.hits && decode.misses == model.misses && decode.wall == model.time &&
         decode.stall == model.time;
}

// state.range(0) is the percentage of the model's experts that the cache holds.
void simulate_lru(benchmark::State& state) {
  const uint64_t slots = trace().info().geometry.expert_count() * uint64_t(state.range(0)) / 100;
  if (!right(slots)) {
    state.SkipWithError("the run differs from the plain model");
    return;
  }
  PhaseMetrics last;
  for (auto _ : state) {
    last = simulate(slots * kExpertBytes, "lru").metrics.decode();
  }
  state.SetItemsProcessed(int64_t(last.accesses) * int64_t(state.iterations()));
  state.counters["hit_ratio"] = last.hit_ratio();
}

BENCHMARK(simulate_lru)
    ->ArgName("cache_percent")
    ->Arg(10)
    ->Arg(25)
    ->Arg(50)
    ->Arg(75)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace spillway

BENCHMARK_MAIN();
