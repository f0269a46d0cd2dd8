#include <gtest/gtest.h>

#include "core/digest.h"
#include "runtime/metrics.h"
#include "runtime/session.h"
#include "tests/support/fakes.h"
#include "tests/support/faulty_drive.h"
#include "tests/support/step_list.h"

// Thousands of short runs on drives that fail in every way that a drive can, each from its own seed. What
// must hold afterwards does not depend on the faults.
namespace spillway {
namespace {

struct Schedule {
  ModelGeometry shape;
  std::vector<Step> steps;
  uint64_t capacity = 0;
  uint32_t ranges = 1;
  uint64_t alignment = 1;
  uint32_t depth = 1;
  Nanoseconds compute{0};
  std::optional<double> prefetch_accuracy;
  bool is_live = false;  // pumps as a recording does
  fake::Faults faults;
  uint64_t seed = 0;
};

Schedule draw(uint64_t seed) {
  Rng rng(seed);
  const auto sometimes = [&rng](double most) { return rng.below(3) == 0 ? most * rng.uniform() : 0.0; };
  Schedule drawn;
  drawn.seed = seed;
  std::vector<uint64_t> sizes(1 + rng.below(4));
  for (uint64_t& bytes : sizes) {
    bytes = 100 + rng.below(900);
  }
  drawn.shape = fake::geometry(sizes, uint32_t(4 + rng.below(12)), uint32_t(1 + rng.below(3)));
  drawn.steps = fake::random_steps(drawn.shape, uint32_t(rng.below(4)), uint32_t(4 + rng.below(20)),
                                   rng.uniform(), seed);
  drawn.capacity = rng.below(8) == 0 ? 0 : rng.below(12'000);
  drawn.ranges = uint32_t(1 + rng.below(3));
  drawn.alignment = uint64_t{1} << (3 * rng.below(3));
  drawn.depth = uint32_t(1 + rng.below(9));
  drawn.compute = Nanoseconds(rng.below(3) * 20'000);
  drawn.is_live = rng.below(3) == 0;
  if (rng.below(2) == 0) {
    drawn.prefetch_accuracy = rng.uniform();
  }
  drawn.faults = {.transient_errors = sometimes(0.3),
                  .bad_places = sometimes(0.02),
                  .flipped = sometimes(0.02),
                  .misdirected = sometimes(0.02),
                  .cut_short = sometimes(0.02),
                  .late = sometimes(0.5),
                  .last = sometimes(0.2),
                  .out_of_order = rng.below(2) == 0,
                  .late_polls = uint32_t(1 + rng.below(20)),
                  .silent_polls = uint32_t(rng.below(4))};
  return drawn;
}

// Steps of a source that says it is live, so that the session pumps as it does for a model.
class LiveSteps final : public StepSource {
 public:
  LiveSteps(const ModelGeometry& shape, const std::vector<Step>& steps, bool live)
      : steps_(shape, steps), info_(steps_.info()) {
    info_.is_live = live;
  }
  const SourceInfo& info() const override { return info_; }
  Result<bool> next(Step& step) override { return steps_.next(step); }

 private:
  test::StepList steps_;
  SourceInfo info_;
};

struct Ending {
  Result<void> run;
  uint64_t accesses = 0;
  uint64_t computed = 0;
  uint64_t wrong = 0;
  uint64_t spoiled = 0;
  uint64_t failures = 0;
  uint64_t prefetches = 0;
  size_t left_in_flight = 0;
};

Ending run_schedule(const Schedule& schedule, Verify verify) {
  Metrics metrics;
  fake::PatternStore store(schedule.shape, schedule.ranges, 2);
  fake::PatternDrive drive(schedule.depth, schedule.alignment);
  fake::FaultyDrive faulty(drive, schedule.faults, schedule.seed);
  LiveSteps source(schedule.shape, schedule.steps, schedule.is_live);
  fake::SlowLru policy;
  fake::TickClock clock;
  fake::CheckingCompute compute(store, schedule.compute);
  fake::NoPrefetch none;
  fake::NextStepPrefetch hints(schedule.steps, schedule.shape, schedule.prefetch_accuracy.value_or(0),
                               schedule.seed);
  Pager pager(schedule.shape, {.capacity_bytes = schedule.capacity}, policy, metrics);
  std::vector<std::byte> memory(
      arena_bytes_for(schedule.shape, store, schedule.alignment, schedule.capacity));
  SlotArena arena(memory, schedule.alignment);
  EXPECT_TRUE(faulty.attach(memory));
  Loader loader(schedule.shape, store, faulty, &arena, pager, clock, metrics,
                {.verify = verify, .verify_seed = schedule.seed, .prefetch_piece_bytes = 128});
  Prefetcher& prefetcher = schedule.prefetch_accuracy ? static_cast<Prefetcher&>(hints) : none;
  Session session({source, prefetcher, pager, loader, compute, clock, metrics});

  Ending ending;
  ending.run = session.run([] { return false; });
  for (const Step& step : schedule.steps) {
    ending.accesses += step.experts.size();
  }
  ending.computed = compute.computed;
  ending.wrong = compute.wrong;
  ending.spoiled = faulty.spoiled;
  ending.failures = faulty.failures;
  ending.prefetches = metrics.total().prefetches_issued;
  ending.left_in_flight = faulty.in_flight();
  EXPECT_EQ(metrics.total().accesses, metrics.total().hits + metrics.total().late + metrics.total().misses);
  return ending;
}

constexpr uint64_t kSchedules = 10000;

TEST(FaultSchedules, NeverHandAWrongByteToTheComputationWhereEveryReadIsChecked) {
  uint64_t ended_well = 0;
  uint64_t survived_errors = 0;
  uint64_t damage_seen = 0;
  uint64_t prefetches = 0;
  for (uint64_t seed = 1; seed <= kSchedules; ++seed) {
    SCOPED_TRACE(seed);
    const Ending ending = run_schedule(draw(seed), Verify::all);
    ASSERT_EQ(ending.wrong, 0U);
    ASSERT_EQ(ending.left_in_flight, 0U) << "the memory is about to go";
    prefetches += ending.prefetches;
    if (ending.run) {
      ASSERT_EQ(ending.computed, ending.accesses);
      ++ended_well;
      survived_errors += ending.failures > 0 ? 1 : 0;
      continue;
    }
    const std::string& message = ending.run.error().message;
    ASSERT_NE(message.find("file"), std::string::npos) << message;
    const bool damage = message.find("not what was stored") != std::string::npos;
    ASSERT_TRUE(damage ? ending.spoiled > 0 : ending.failures > 0) << message;
    damage_seen += damage ? 1 : 0;
  }
  EXPECT_GT(ended_well, kSchedules / 4);
  EXPECT_GT(survived_errors, kSchedules / 20);
  EXPECT_GT(damage_seen, kSchedules / 20);
  EXPECT_GT(prefetches, kSchedules);
}

TEST(FaultSchedules, EndWellWhereEveryReadArrivesInTheEnd) {
  for (uint64_t seed = 1; seed <= kSchedules / 4; ++seed) {
    SCOPED_TRACE(seed);
    Schedule schedule = draw(seed);
    schedule.faults.bad_places = schedule.faults.flipped = 0;
    schedule.faults.misdirected = schedule.faults.cut_short = 0;
    const Ending ending = run_schedule(schedule, Verify::all);
    ASSERT_TRUE(ending.run) << ending.run.error().message;
    ASSERT_EQ(ending.computed, ending.accesses);
    ASSERT_EQ(ending.wrong, 0U);
  }
}

// The same faults, and nobody looks: the faults are real ones.
TEST(FaultSchedules, HandOnWrongBytesWhereNoReadIsChecked) {
  uint64_t wrong = 0;
  for (uint64_t seed = 1; seed <= kSchedules / 10; ++seed) {
    wrong += run_schedule(draw(seed), Verify::off).wrong;
  }
  EXPECT_GT(wrong, kSchedules / 10);
}

// A prefetch is a guess: what cannot be read is read again when it is asked for, or never.
TEST(FaultSchedules, DoNotEndARunOverAPrefetchThatNobodyAsksFor) {
  const ModelGeometry shape = fake::geometry({400, 400}, 16, 1);
  std::vector<Step> steps = fake::make_steps(shape, 0, 30, [](uint32_t) { return std::vector<uint16_t>{3}; });
  std::vector<Step> wrong = fake::make_steps(shape, 0, 30, [](uint32_t) { return std::vector<uint16_t>{7}; });
  fake::PatternStore store(shape, 1, 1);
  std::vector<ByteRange> bad;
  store.ranges(shape.id(1, 7), bad);
  Metrics metrics;
  fake::PatternDrive drive(4, 1);
  fake::FaultyDrive faulty(drive, {.bad_offset = bad.front().offset}, 1);
  test::StepList source(shape, steps);
  fake::SlowLru policy;
  fake::TickClock clock;
  fake::CheckingCompute compute(store, Nanoseconds(20'000));
  fake::NextStepPrefetch hints(wrong, shape, 1, 1);
  Pager pager(shape, {.capacity_bytes = 4000}, policy, metrics);
  std::vector<std::byte> memory(arena_bytes_for(shape, store, 1, 4000));
  SlotArena arena(memory, 1);
  ASSERT_TRUE(faulty.attach(memory));
  Loader loader(shape, store, faulty, &arena, pager, clock, metrics,
                {.verify = Verify::all, .prefetch_piece_bytes = 128});
  const Result<void> ran =
      Session({source, hints, pager, loader, compute, clock, metrics}).run([] { return false; });
  ASSERT_TRUE(ran) << ran.error().message;
  EXPECT_GT(faulty.failures, 0U);
  EXPECT_EQ(compute.wrong, 0U);
}

}  // namespace
}  // namespace spillway
