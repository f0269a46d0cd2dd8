#include "sim/curve/replay.h"

#include <set>

#include "sim/curve/key_queue.h"
#include "sim/curve/position_set.h"
#include "tests/sim/curve_testing.h"

// The replays alone; tests/parity/replay_test.cc compares their counts with the pager's.
namespace spillway {
namespace {

// One layer, one expert a step: the classic page-reference string.
AccessStream page_references(const std::vector<uint32_t>& pages) {
  const ModelGeometry shape = curve_test::shape({1}, 10, 1);
  std::vector<Step> steps;
  for (const uint32_t page : pages) {
    Step step;
    step.index = steps.size();
    step.experts = {ExpertId{page}};
    steps.push_back(step);
  }
  return curve_test::stream_of(shape, steps);
}

uint64_t faults(const std::vector<uint64_t>& hits, const AccessStream& stream) {
  return total_counts(stream, hits).misses();
}

// Silberschatz, Galvin, Gagne, "Operating System Concepts", the chapter on page replacement; and Belady,
// Nelson, Shedler, "An anomaly in space-time characteristics of certain programs running in a paging
// machine", CACM 12(6), 1969.
TEST(Replays, CountTheFaultsOfTheTextbooks) {
  const AccessStream book = page_references({7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1});
  const AccessStream anomaly = page_references({1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5});
  for (const CacheSemantics semantics : {CacheSemantics::step, CacheSemantics::request}) {
    EXPECT_EQ(faults(replay_belady(book, NextUses(book, semantics), 3), book), 9U);
    EXPECT_EQ(faults(replay_lru(book, semantics, 3), book), 12U);
    EXPECT_EQ(faults(replay_fifo(book, semantics, 3), book), 15U);
    EXPECT_EQ(faults(replay_fifo(anomaly, semantics, 3), anomaly), 9U);
    EXPECT_EQ(faults(replay_fifo(anomaly, semantics, 4), anomaly), 10U);
  }
}

TEST(Replays, NeverBeatBeladyWhereExpertsAreOfOneSize) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const ModelGeometry shape = curve_test::shape({10, 10, 10, 10}, 32, 4);
    const AccessStream stream = curve_test::stream_of(shape, curve_test::random_steps(shape, 2000, 0, seed));
    for (const CacheSemantics semantics : {CacheSemantics::step, CacheSemantics::request}) {
      const NextUses next_uses(stream, semantics);
      for (uint64_t capacity = 40; capacity < shape.total_bytes(); capacity += 70) {
        const uint64_t least = faults(replay_belady(stream, next_uses, capacity), stream);
        EXPECT_LE(least, faults(replay_lru(stream, semantics, capacity), stream));
        EXPECT_LE(least, faults(replay_fifo(stream, semantics, capacity), stream));
        EXPECT_LE(least, faults(replay_lfu(stream, semantics, capacity), stream));
        EXPECT_GE(least, total_counts(stream, first_uses(stream)).hits);
      }
    }
  }
}

TEST(AccessStream, CountsPhasesAndLayersApart) {
  const ModelGeometry shape = curve_test::shape({100, 70}, 8, 2);
  const std::vector<Step> steps = curve_test::random_steps(shape, 20, 6, 1);
  const AccessStream stream = curve_test::stream_of(shape, steps);
  uint64_t accesses[2][2] = {};
  uint64_t bytes = 0;
  uint64_t largest = 0;
  for (const Step& step : steps) {
    accesses[step.phase == Phase::decode ? 1 : 0][step.layer] += step.experts.size();
    bytes += step.experts.size() * shape.expert_bytes[step.layer];
    largest = std::max(largest, step.experts.size() * shape.expert_bytes[step.layer]);
  }
  const std::vector<uint64_t> none(stream.rows(), 0);
  EXPECT_EQ(phase_counts(stream, none, Phase::prefill).accesses, accesses[0][0] + accesses[0][1]);
  EXPECT_EQ(phase_counts(stream, none, Phase::decode).accesses, accesses[1][0] + accesses[1][1]);
  EXPECT_EQ(layer_counts(stream, none, 1).accesses, accesses[0][1] + accesses[1][1]);
  EXPECT_EQ(total_counts(stream, none).missed_bytes, bytes);
  EXPECT_EQ(stream.largest_step_bytes(), largest);
}

TEST(AccessStreamDeathTest, RefusesAStepThatListsAnExpertTwice) {
  AccessStream stream(curve_test::shape({100}, 8, 2));
  Step step;
  step.experts = {ExpertId{3}, ExpertId{3}};
  EXPECT_DEATH(stream.append(step), "precondition");
}

TEST(PositionSet, AgreesWithASetOfTheStandardLibrary) {
  constexpr uint32_t kBound = 700'000;
  PositionSet positions(kBound);
  std::set<uint32_t> reference;
  Rng rng(1);
  for (int i = 0; i < 20'000; ++i) {
    const uint32_t number = uint32_t(rng.below(rng.below(2) == 0 ? kBound : 300));
    positions.insert(number);
    reference.insert(number);
    if (rng.below(3) != 0) {
      ASSERT_EQ(positions.greatest(), *reference.rbegin());
      positions.erase(positions.greatest());
      reference.erase(std::prev(reference.end()));
    }
    const uint32_t first = uint32_t(rng.below(kBound - 400));
    const uint32_t last = first + uint32_t(rng.below(400));
    ASSERT_EQ(positions.count(first, last),
              std::distance(reference.lower_bound(first), reference.lower_bound(last)));
    ASSERT_EQ(positions.contains(first), reference.contains(first));
    if (reference.empty()) {
      positions.insert(0);
      reference.insert(0);
    }
  }
}

// Keys enter near the front, near the back and anywhere, so that the sorted list spills and refills.
TEST(KeyQueue, HandsKeysOutInOrder) {
  Rng rng(2);
  KeyQueue queue(100'000);
  std::multiset<uint64_t> reference;
  const auto insert = [&](uint64_t key) {
    queue.insert(key);
    reference.insert(key);
  };
  for (int round = 0; round < 3000; ++round) {
    const uint64_t least = reference.empty() ? 0 : *reference.begin();
    for (uint64_t i = rng.below(90); i > 0; --i) {
      insert(rng.below(3) == 0 ? rng.below(1U << 30) : least + rng.below(2000));
    }
    for (uint64_t i = rng.below(100); i > 0 && !reference.empty(); --i) {
      ASSERT_EQ(queue.take_least(), *reference.begin());
      reference.erase(reference.begin());
    }
    size_t count = 0;
    queue.for_each([&](uint64_t) { ++count; });
    ASSERT_EQ(count, reference.size());
  }
}

}  // namespace
}  // namespace spillway
