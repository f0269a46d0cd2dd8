#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "policies/list.h"
#include "runtime/cache_run.h"
#include "sim/curve/lru_curve.h"
#include "sim/curve/replay.h"
#include "sim/curve/request_source.h"
#include "traces/memory_trace.h"
#include "traces/synth.h"

// Measures accesses a second of one core over a trace of ten million accesses in memory: 48 layers of 256
// experts, top 8, Zipf popularity and reuse of the last token's choices. Before the timing, the counts are
// compared with the pager's on the start of the same trace: a fast wrong count is no result.
namespace spillway {
namespace {

constexpr uint32_t kLayers = 48;
constexpr uint32_t kExperts = 256;
constexpr uint32_t kTopK = 8;
constexpr uint64_t kExpertBytes = 1'000'000;
constexpr uint64_t kTokens = 26'042;
constexpr uint64_t kCheckedTokens = 400;
constexpr double kSkew = 0.8;
constexpr double kReuse = 0.35;
constexpr uint64_t kPercents[] = {10, 25, 50};

// In half of the layers of a mixed model, experts are a sixth larger, as if every second layer were
// quantized with more bits.
ModelGeometry shape(bool mixed) {
  ModelGeometry geometry{kLayers, kExperts, kTopK, kTopK, std::vector<uint64_t>(kLayers, kExpertBytes)};
  for (uint32_t layer = 0; mixed && layer < kLayers; layer += 2) {
    geometry.expert_bytes[layer] += kExpertBytes / 6;
  }
  return geometry;
}

MemoryTrace make_trace(bool mixed, uint64_t tokens) {
  const ModelGeometry geometry = shape(mixed);
  SynthSource source(geometry, *make_router_model(geometry, kSkew, kReuse, 1), 0, tokens, 1);
  MemoryTrace trace = std::move(*MemoryTrace::load(source));
  trace.annotate_next_use();
  return trace;
}

struct Case {
  std::string policy;
  CacheSemantics semantics = CacheSemantics::step;
  bool mixed = false;
  uint64_t percent = 0;  // share of all experts that the cache holds

  uint64_t capacity() const { return shape(mixed).total_bytes() * percent / 100; }
};

const AccessStream& whole_stream(bool mixed) {
  const auto load = [](bool of_several_sizes) {
    return *AccessStream::load(*make_trace(of_several_sizes, kTokens).cursor());
  };
  static const AccessStream one_size = load(false);
  static const AccessStream several = load(true);
  return mixed ? several : one_size;
}

std::vector<uint64_t> replay(const Case& which, const AccessStream& stream, const NextUses* next_uses) {
  return which.policy == "lru"    ? replay_lru(stream, which.semantics, which.capacity())
         : which.policy == "fifo" ? replay_fifo(stream, which.semantics, which.capacity())
         : which.policy == "lfu"  ? replay_lfu(stream, which.semantics, which.capacity())
                                  : replay_belady(stream, *next_uses, which.capacity());
}

// Returns the pager's hits over `trace`, all of whose steps are of decode.
uint64_t hits_by_pager(const std::string& policy_name, CacheSemantics semantics, uint64_t capacity,
                       const MemoryTrace& trace) {
  const std::unique_ptr<StepSource> steps = trace.cursor();
  RequestSource requests(*steps);
  MemoryTrace singles = std::move(*MemoryTrace::load(requests));
  singles.annotate_next_use();
  const MemoryTrace& asked = semantics == CacheSemantics::step ? trace : singles;
  const PolicyEnv env{&asked.info(), capacity, 1};
  const std::unique_ptr<EvictionPolicy> policy = std::move(*eviction_policies().known(policy_name).make(env));
  return run_cache(*asked.cursor(), *policy, capacity)->decode.hits;
}

bool agrees_with_pager(const Case& which) {
  const MemoryTrace trace = make_trace(which.mixed, kCheckedTokens);
  const AccessStream stream = *AccessStream::load(*trace.cursor());
  const NextUses next_uses(stream, which.semantics);
  return total_counts(stream, replay(which, stream, &next_uses)).hits ==
         hits_by_pager(which.policy, which.semantics, which.capacity(), trace);
}

void count_accesses(benchmark::State& state, const AccessStream& stream) {
  state.counters["accesses"] =
      benchmark::Counter(double(stream.accesses()) * double(state.iterations()), benchmark::Counter::kIsRate);
}

void replay_policy(benchmark::State& state, const Case& which) {
  if (!agrees_with_pager(which)) {
    state.SkipWithError("the hits differ from the pager's");
    return;
  }
  const AccessStream& stream = whole_stream(which.mixed);
  const std::unique_ptr<NextUses> next_uses =
      which.policy == "belady" ? std::make_unique<NextUses>(stream, which.semantics) : nullptr;
  std::vector<uint64_t> hits;
  for (auto _ : state) {
    hits = replay(which, stream, next_uses.get());
    benchmark::DoNotOptimize(hits.data());
  }
  count_accesses(state, stream);
  state.counters["hit%"] = 100 * total_counts(stream, hits).hit_ratio();
}

void annotate(benchmark::State& state, CacheSemantics semantics) {
  const AccessStream& stream = whole_stream(false);
  for (auto _ : state) {
    benchmark::DoNotOptimize(NextUses(stream, semantics).keys().data());
  }
  count_accesses(state, stream);
}

void pager(benchmark::State& state, const std::string& policy) {
  const MemoryTrace trace = make_trace(false, kCheckedTokens);
  const uint64_t capacity = shape(false).total_bytes() / 4;
  for (auto _ : state) {
    benchmark::DoNotOptimize(hits_by_pager(policy, CacheSemantics::step, capacity, trace));
  }
  state.counters["accesses"] = benchmark::Counter(double(trace.steps() * kTopK) * double(state.iterations()),
                                                  benchmark::Counter::kIsRate);
}

// Counts exact hits at every size. The counts are compared with the pager's at the three sizes used
// to time policies.
void all_sizes(benchmark::State& state, CacheSemantics semantics, bool mixed, CurveIsa isa) {
  const MemoryTrace trace = make_trace(mixed, kCheckedTokens);
  const LruCurve start = lru_curve(*AccessStream::load(*trace.cursor()), semantics, isa);
  for (const uint64_t percent : kPercents) {
    const uint64_t granules = shape(mixed).total_bytes() * percent / 100 / start.granule_bytes;
    const uint64_t capacity = granules * start.granule_bytes;
    if (start.hits_at(Phase::decode, granules) != hits_by_pager("lru", semantics, capacity, trace)) {
      state.SkipWithError("the hits differ from the pager's");
      return;
    }
  }
  const AccessStream& stream = whole_stream(mixed);
  for (auto _ : state) {
    benchmark::DoNotOptimize(lru_curve(stream, semantics, isa).hits[1].data());
  }
  count_accesses(state, stream);
}

const char* name_of(CacheSemantics semantics) {
  return semantics == CacheSemantics::step ? "step" : "request";
}

const char* sizes_of(bool mixed) {
  return mixed ? "several_sizes" : "one_size";
}

std::string name_of(const Case& which) {
  return fmt::format("replay/{}/{}/{}/{}%", which.policy, name_of(which.semantics), sizes_of(which.mixed),
                     which.percent);
}

void register_all() {
  constexpr CacheSemantics kBoth[] = {CacheSemantics::step, CacheSemantics::request};
  for (const char* policy : {"lru", "fifo", "lfu", "belady"}) {
    for (const CacheSemantics semantics : kBoth) {
      for (const bool mixed : {false, true}) {
        for (const uint64_t percent : kPercents) {
          const Case which{policy, semantics, mixed, percent};
          benchmark::RegisterBenchmark(name_of(which).c_str(), replay_policy, which)
              ->Unit(benchmark::kMillisecond);
        }
      }
    }
    benchmark::RegisterBenchmark(fmt::format("pager/{}/step/one_size/25%", policy).c_str(), pager, policy)
        ->Unit(benchmark::kMillisecond);
  }
  for (const CacheSemantics semantics : kBoth) {
    for (const bool mixed : {false, true}) {
      for (const CurveIsa isa : available_curve_isas()) {
        const std::string name =
            fmt::format("lru_curve/{}/{}/{}", name_of(semantics), sizes_of(mixed), name_of(isa));
        benchmark::RegisterBenchmark(name.c_str(), all_sizes, semantics, mixed, isa)
            ->Unit(benchmark::kMillisecond);
      }
    }
  }
  benchmark::RegisterBenchmark("next_uses/step", annotate, CacheSemantics::step)
      ->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark("next_uses/request", annotate, CacheSemantics::request)
      ->Unit(benchmark::kMillisecond);
}

}  // namespace
}  // namespace spillway

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  spillway::register_all();
  benchmark::RunSpecifiedBenchmarks();
}
