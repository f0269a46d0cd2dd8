#include "runtime/session.h"

#include <gtest/gtest.h>

#include "core/digest.h"
#include "runtime/cache_run.h"
#include "runtime/metrics.h"
#include "tests/support/fakes.h"
#include "tests/support/faulty_drive.h"
#include "tests/support/step_list.h"

namespace spillway {
namespace {

struct Rig {
  ModelGeometry shape = fake::geometry({700, 1000, 400, 900}, 16, 3);
  std::vector<Step> steps;
  uint64_t capacity = 9000;
  uint64_t fewer_holes = 0;  // bytes by which the arena is smaller than usual
  uint32_t ranges = 3;
  fake::Faults faults;
  uint64_t alignment = 64;
  uint64_t granule = 0;  // the arena's granule, where it exceeds the alignment
  uint32_t depth = 8;
  double prefetch_accuracy = -1;  // negative: none
  Verify verify = Verify::all;
  uint64_t seed = 1;
};

struct Outcome {
  Result<void> run;
  fake::EventLog log;
  Metrics metrics;
  DecisionDigest digest;
  LoaderCounts counts;
  PagerLog told;
  uint64_t computed = 0;
  uint64_t wrong = 0;
  uint64_t failures = 0;
  size_t most_in_flight = 0;
  uint64_t moved_bytes = 0;
  uint64_t bits_of_destinations = 0;
};

Outcome run_session(const Rig& rig) {
  Outcome outcome;
  Observers observers(outcome.metrics, outcome.digest, {&outcome.log});
  test::StepList source(rig.shape, rig.steps);
  fake::PatternStore store(rig.shape, rig.ranges, 2);
  fake::PatternDrive drive(rig.depth, rig.alignment);
  fake::FaultyDrive backend(drive, rig.faults, rig.seed);
  fake::SlowLru policy;
  fake::TickClock clock;
  fake::CheckingCompute compute(store, Nanoseconds(20'000));
  fake::NoPrefetch none;
  fake::NextStepPrefetch hints(rig.steps, rig.shape, rig.prefetch_accuracy, rig.seed);
  Pager pager(rig.shape, {.capacity_bytes = rig.capacity}, policy, observers);
  pager.keep_log(outcome.told);
  const uint64_t granule = std::max(rig.alignment, rig.granule);
  std::vector<std::byte> memory(arena_bytes_for(rig.shape, store, granule, rig.capacity) - rig.fewer_holes);
  SlotArena arena(memory, granule);
  EXPECT_TRUE(backend.attach(memory));
  Loader loader(rig.shape, store, backend, &arena, pager, clock, observers,
                {.verify = rig.verify, .prefetch_piece_bytes = 128});
  Prefetcher& prefetcher = rig.prefetch_accuracy < 0 ? static_cast<Prefetcher&>(none) : hints;
  Session session({source, prefetcher, pager, loader, compute, clock, observers});
  outcome.run = session.run([] { return false; });
  outcome.counts = loader.counts();
  outcome.computed = compute.computed;
  outcome.wrong = compute.wrong;
  outcome.failures = backend.failures;
  outcome.most_in_flight = backend.most_in_flight;
  outcome.moved_bytes = arena.moved_bytes();
  outcome.bits_of_destinations = backend.bits_of_destinations;
  return outcome;
}

uint64_t accesses(const std::vector<Step>& steps) {
  uint64_t sum = 0;
  for (const Step& step : steps) {
    sum += step.experts.size();
  }
  return sum;
}

TEST(Session, ComputesEveryExpertOnItsOwnBytesWhateverTheDriveDoes) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    Rig rig;
    rig.seed = seed;
    rig.ranges = 1 + uint32_t(seed % 3);
    rig.alignment = seed % 2 == 0 ? 1 : 64;
    rig.granule = seed % 3 == 0 ? 256 : 0;
    rig.depth = 1 + uint32_t(seed % 9);
    rig.capacity = 3000 + 1500 * (seed % 5);
    rig.faults = {.transient_errors = 0.1, .out_of_order = true, .silent_polls = uint32_t(seed % 4)};
    rig.prefetch_accuracy = seed % 4 == 0 ? -1 : double(seed % 4) / 3;
    rig.steps = fake::random_steps(rig.shape, 5, 60, 0.5, seed);
    const Outcome outcome = run_session(rig);
    ASSERT_TRUE(outcome.run) << outcome.run.error().message;
    EXPECT_EQ(outcome.computed, accesses(rig.steps));
    EXPECT_EQ(outcome.wrong, 0U);
    EXPECT_GT(outcome.failures, 0U);
    EXPECT_EQ(outcome.counts.retries, outcome.failures);
    EXPECT_LE(outcome.most_in_flight, rig.depth);
  }
}

TEST(Session, ReadsEachRangeToAMultipleOfTheArenasGranule) {
  Rig rig;
  rig.granule = 256;
  rig.steps = fake::random_steps(rig.shape, 5, 60, 0.5, 3);
  const Outcome outcome = run_session(rig);
  ASSERT_TRUE(outcome.run) << outcome.run.error().message;
  EXPECT_EQ(outcome.computed, accesses(rig.steps));
  EXPECT_EQ(outcome.wrong, 0U);
  EXPECT_GT(outcome.bits_of_destinations, 0U);
  EXPECT_EQ(outcome.bits_of_destinations % rig.granule, 0U);
}

// Experts of two sizes, as many quantizations have them.
TEST(Session, MovesExpertsTogetherWhileTheDriveReadsRatherThanBeforeARead) {
  Rig rig;
  rig.shape = fake::geometry({1000, 1000, 860, 1000, 860, 860}, 64, 4);
  rig.ranges = 1;
  rig.alignment = 1;
  rig.capacity = 200'000;
  rig.fewer_holes = 8'000;
  rig.steps = fake::random_steps(rig.shape, 4, 1000, 0.3, 5);
  rig.faults = {.silent_polls = 3};
  const Outcome outcome = run_session(rig);
  ASSERT_TRUE(outcome.run) << outcome.run.error().message;
  EXPECT_EQ(outcome.computed, accesses(rig.steps));
  EXPECT_EQ(outcome.wrong, 0U);
  EXPECT_GT(outcome.moved_bytes, 0U);
  // A move takes a tick; without room made in time there would be 96 moves.
  EXPECT_LT(outcome.counts.moving / Nanoseconds(1000), 50);
}

TEST(Session, DecidesTheSameWithoutPrefetchWhateverTheDriveDoes) {
  Rig rig;
  rig.steps = fake::random_steps(rig.shape, 4, 80, 0.4, 7);
  test::StepList source(rig.shape, rig.steps);
  fake::SlowLru policy;
  const Result<CacheRun> instant = run_cache(source, policy, rig.capacity);
  ASSERT_TRUE(instant);
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    rig.seed = seed;
    rig.depth = uint32_t(1 + 2 * seed);
    rig.faults = {
        .transient_errors = 0.05 * double(seed), .out_of_order = seed > 2, .silent_polls = uint32_t(seed)};
    const Outcome outcome = run_session(rig);
    ASSERT_TRUE(outcome.run);
    EXPECT_EQ(outcome.digest.value(), instant->digest);
    EXPECT_EQ(outcome.metrics.decode().hits, instant->decode.hits);
  }
}

TEST(Session, DecidesTheSameAgainWhenAFreshPagerIsToldTheSame) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    Rig rig;
    rig.seed = seed;
    rig.prefetch_accuracy = double(seed % 3) / 2;
    rig.faults = {.transient_errors = 0.1, .out_of_order = true, .silent_polls = 2};
    rig.steps = fake::random_steps(rig.shape, 4, 80, 0.5, seed);
    const Outcome outcome = run_session(rig);
    ASSERT_TRUE(outcome.run);
    ASSERT_GT(outcome.metrics.total().prefetches_issued, 0U);
    fake::SlowLru policy;
    DecisionDigest digest;
    Pager fresh(rig.shape, {.capacity_bytes = rig.capacity}, policy, digest);
    retell(outcome.told, fresh);
    EXPECT_EQ(digest.value(), outcome.digest.value());
  }
}

TEST(Session, NamesTheExpertTheFileAndTheOffsetOfAReadThatKeepsFailing) {
  Rig rig;
  rig.steps = fake::random_steps(rig.shape, 0, 60, 0.0, 3);
  rig.ranges = 1;
  fake::PatternStore store(rig.shape, 1, 2);
  std::vector<ByteRange> ranges;
  const ExpertId victim = rig.steps.back().experts.front();
  store.ranges(victim, ranges);
  rig.faults.bad_offset = ranges.front().offset;
  const Outcome outcome = run_session(rig);
  ASSERT_FALSE(outcome.run);
  const std::string& message = outcome.run.error().message;
  EXPECT_NE(message.find(rig.shape.name(victim)), std::string::npos) << message;
  EXPECT_NE(message.find(std::to_string(ranges.front().offset)), std::string::npos) << message;
  EXPECT_NE(message.find("file"), std::string::npos) << message;
  EXPECT_NE(message.find("Input/output error"), std::string::npos) << message;
}

TEST(Session, FailsWhenBytesAreNotWhatWasStored) {
  Rig rig;
  rig.steps = fake::random_steps(rig.shape, 0, 40, 0.0, 3);
  rig.faults.flipped = 0.02;
  const Outcome outcome = run_session(rig);
  ASSERT_FALSE(outcome.run);
  EXPECT_NE(outcome.run.error().message.find("not what was stored"), std::string::npos)
      << outcome.run.error().message;
}

TEST(Session, ReadsEverythingEveryTimeWithoutACache) {
  Rig rig;
  rig.capacity = 0;
  rig.steps = fake::random_steps(rig.shape, 6, 30, 0.9, 11);
  const Outcome outcome = run_session(rig);
  ASSERT_TRUE(outcome.run) << outcome.run.error().message;
  EXPECT_EQ(outcome.metrics.total().hits, 0U);
  EXPECT_EQ(outcome.metrics.total().bypasses, accesses(rig.steps));
  EXPECT_EQ(outcome.wrong, 0U);
}

TEST(Session, CountsEachPrefetchOnceAsUsefulLateOrWasted) {
  for (const double accuracy : {0.0, 0.5, 1.0}) {
    SCOPED_TRACE(accuracy);
    Rig rig;
    rig.capacity = 16000;
    rig.prefetch_accuracy = accuracy;
    rig.steps = fake::random_steps(rig.shape, 0, 150, 0.3, 5);
    const Outcome outcome = run_session(rig);
    ASSERT_TRUE(outcome.run);
    const PhaseMetrics total = outcome.metrics.total();
    EXPECT_GT(total.prefetches_issued, 0U);
    EXPECT_EQ(total.prefetches_issued, total.prefetches_useful + total.late + total.prefetches_wasted);
    EXPECT_EQ(total.accesses, total.hits + total.late + total.misses);
  }
}

TEST(Session, StopsBetweenStepsAndReportsThePassesItRanWhole) {
  Rig rig;
  rig.steps = fake::random_steps(rig.shape, 0, 20, 0.5, 2);
  test::StepList source(rig.shape, rig.steps);
  fake::PatternStore store(rig.shape, 1, 1);
  fake::PatternDrive backend(4, 1);
  fake::SlowLru policy;
  fake::TickClock clock;
  fake::CheckingCompute compute(store, Nanoseconds(0));
  fake::NoPrefetch none;
  Metrics metrics;
  Pager pager(rig.shape, {.capacity_bytes = rig.capacity}, policy, metrics);
  std::vector<std::byte> memory(rig.capacity + 4000);
  SlotArena arena(memory, 1);
  ASSERT_TRUE(backend.attach(memory));
  Loader loader(rig.shape, store, backend, &arena, pager, clock, metrics, {});
  Session session({source, none, pager, loader, compute, clock, metrics});
  int steps = 0;
  ASSERT_TRUE(session.run([&] { return steps++ == 7 * 4 + 2; }));
  EXPECT_EQ(metrics.decode().passes, 7U);
}

}  // namespace
}  // namespace spillway
