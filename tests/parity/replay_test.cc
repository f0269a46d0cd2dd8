#include "sim/curve/replay.h"

#include <fmt/format.h>

#include <filesystem>

#include "runtime/cache_run.h"
#include "sim/curve/request_source.h"
#include "tests/policies/lab.h"
#include "tests/support/fakes.h"
#include "tests/support/make_plugin.h"
#include "tests/support/recorded.h"
#include "tests/support/step_list.h"
#include "traces/import/import.h"

// The replays of sim/curve and the pager are two implementations of one semantics: the same steps, policy and
// budget must give the same counts.
namespace spillway {
namespace {

struct Counts {
  CacheCounts prefill;
  CacheCounts decode;
  bool operator==(const Counts&) const = default;
};

void PrintTo(const Counts& counts, std::ostream* out) {
  *out << fmt::format("prefill {}/{} hits, {} B missed; decode {}/{} hits, {} B missed", counts.prefill.hits,
                      counts.prefill.accesses, counts.prefill.missed_bytes, counts.decode.hits,
                      counts.decode.accesses, counts.decode.missed_bytes);
}

Counts by_pager(const ModelGeometry& shape, const std::vector<Step>& steps, const std::string& policy,
                uint64_t capacity) {
  test::StepList source(shape, steps);
  SourceInfo info = source.info();
  info.has_next_use = true;
  const PolicyEnv env{&info, capacity, 1};
  Result<std::unique_ptr<EvictionPolicy>> made = make_plugin(eviction_policies(), policy, env);
  EXPECT_TRUE(made);
  const Result<CacheRun> run = run_cache(source, **made, capacity);
  EXPECT_TRUE(run);
  const auto counts = [](const PhaseMetrics& phase) {
    return CacheCounts{phase.accesses, phase.hits, phase.bytes_missed};
  };
  return {counts(run->prefill), counts(run->decode)};
}

std::vector<uint64_t> replay(const AccessStream& stream, const std::string& policy, CacheSemantics semantics,
                             uint64_t capacity) {
  switch (eviction_policies().known(policy).traits.rule) {
    case EvictionRule::least_recent:
      return replay_lru(stream, semantics, capacity);
    case EvictionRule::first_in:
      return replay_fifo(stream, semantics, capacity);
    case EvictionRule::least_frequent:
      return replay_lfu(stream, semantics, capacity);
    case EvictionRule::farthest_next_use:
      return replay_belady(stream, NextUses(stream, semantics), capacity);
    case EvictionRule::other:
      break;
  }
  ADD_FAILURE() << policy << " has no curve of its own";
  return {};
}

Counts by_replay(const AccessStream& stream, const std::string& policy, CacheSemantics semantics,
                 uint64_t capacity) {
  const std::vector<uint64_t> hits = replay(stream, policy, semantics, capacity);
  return {phase_counts(stream, hits, Phase::prefill), phase_counts(stream, hits, Phase::decode)};
}

std::vector<Step> as_requests(const ModelGeometry& shape, const std::vector<Step>& steps) {
  test::StepList source(shape, steps);
  RequestSource requests(source);
  std::vector<Step> singles;
  Step step;
  while (*requests.next(step)) {
    singles.push_back(step);
  }
  return singles;
}

void expect_parity(const ModelGeometry& shape, std::vector<Step> steps,
                   const std::vector<uint64_t>& capacities) {
  test::StepList source(shape, steps);
  const Result<AccessStream> stream = AccessStream::load(source);
  ASSERT_TRUE(stream);
  std::vector<Step> requests = as_requests(shape, steps);
  annotate_next_use(shape, steps);
  annotate_next_use(shape, requests);
  for (const std::string policy : {"lru", "fifo", "lfu", "belady"}) {
    for (const uint64_t capacity : capacities) {
      SCOPED_TRACE(testing::Message() << policy << " of " << capacity << " bytes");
      EXPECT_EQ(by_replay(*stream, policy, CacheSemantics::step, capacity),
                by_pager(shape, steps, policy, capacity))
          << "step";
      EXPECT_EQ(by_replay(*stream, policy, CacheSemantics::request, capacity),
                by_pager(shape, requests, policy, capacity))
          << "request";
    }
  }
}

class Replays : public testing::TestWithParam<uint64_t> {
 protected:
  // A model of one to six layers and a few dozen experts, whose sizes are drawn from `sizes`.
  ModelGeometry random_shape(const std::vector<uint64_t>& sizes) {
    std::vector<uint64_t> bytes(1 + rng_.below(6));
    for (uint64_t& each : bytes) {
      each = sizes[rng_.below(sizes.size())];
    }
    const uint32_t top_k = uint32_t(1 + rng_.below(8));
    return fake::geometry(bytes, uint32_t(top_k + rng_.below(40)), top_k);
  }

  // Several prompts one after the other, their prefill steps larger than the smallest caches.
  std::vector<Step> random_stream(const ModelGeometry& shape) {
    std::vector<Step> steps;
    for (uint32_t sequence = 0; sequence < 3; ++sequence) {
      const uint32_t prompt = uint32_t(rng_.below(2) * rng_.below(30));
      for (Step& step : fake::random_steps(shape, prompt, uint32_t(20 + rng_.below(150)),
                                           0.1 * double(rng_.below(10)), rng_.next())) {
        step.index = steps.size();
        step.sequence = sequence;
        steps.push_back(std::move(step));
      }
    }
    return steps;
  }

  // Capacities of nothing, less than an expert, less than a step, everything, and sizes in between.
  std::vector<uint64_t> random_capacities(const ModelGeometry& shape) {
    const uint64_t expert = shape.largest_expert_bytes();
    std::vector<uint64_t> capacities = {0,
                                        expert - 1,
                                        expert,
                                        shape.largest_token_step_bytes(),
                                        shape.total_bytes(),
                                        2 * shape.total_bytes()};
    for (int i = 0; i < 4; ++i) {
      capacities.push_back(rng_.below(shape.total_bytes()));
      capacities.push_back(rng_.below(2 * shape.largest_token_step_bytes()));
      capacities.push_back(rng_.below(1 + shape.total_bytes() / 4));
    }
    return capacities;
  }

  Rng rng_{GetParam()};
};

TEST_P(Replays, CountWhatThePagerCountsWithExpertsOfOneSize) {
  const ModelGeometry shape = random_shape({1000 + rng_.below(5)});
  expect_parity(shape, random_stream(shape), random_capacities(shape));
}

TEST_P(Replays, CountWhatThePagerCountsWithExpertsOfSeveralSizes) {
  const ModelGeometry shape = random_shape({2'654'208, 3'059'712, 7, 1'000'003});
  expect_parity(shape, random_stream(shape), random_capacities(shape));
}

// The sizes for which hit ratios of these traces are published, and two sizes at which prefill
// steps do not fit.
void expect_parity_on(const std::string& name) {
  SPILLWAY_NEEDS_RECORDED(name);
  const std::string path = test::recorded(name);
  ModelGeometry shape;
  std::vector<Step> steps;
  const auto begin = [&](const TraceHeader& header) -> Result<void> {
    shape = header.geometry;
    return {};
  };
  const auto append = [&](const Step& step) -> Result<void> {
    steps.push_back(step);
    steps.back().index = steps.size() - 1;
    return {};
  };
  const Result<const Importer*> importer = find_importer("bigmoe", path);
  ASSERT_TRUE(importer) << importer.error().message;
  const Result<void> imported = (*importer)->import_file(path, {}, {begin, append});
  ASSERT_TRUE(imported) << imported.error().message;
  ASSERT_GT(steps.size(), 3000U);
  std::vector<uint64_t> capacities;
  for (const uint64_t mib : {20, 100, 250, 500, 1000, 2000, 4000, 8000}) {
    capacities.push_back(mib * kMiB);
  }
  expect_parity(shape, std::move(steps), capacities);
}

TEST(ReplaysOfRealTraces, CountWhatThePagerCountsOnQwen3WhoseExpertsAreOfTwoSizes) {
  expect_parity_on("bigmoe-qwen.route.csv");
}

TEST(ReplaysOfRealTraces, CountWhatThePagerCountsOnGemma4) {
  expect_parity_on("bigmoe-gemma.route.csv");
}

INSTANTIATE_TEST_SUITE_P(RandomTraces, Replays, testing::Range<uint64_t>(0, 12));

}  // namespace
}  // namespace spillway
