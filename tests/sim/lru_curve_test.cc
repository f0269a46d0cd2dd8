#include "sim/curve/lru_curve.h"

#include <gtest/gtest.h>

#include <list>

#include "sim/curve/replay.h"
#include "tests/sim/curve_testing.h"

namespace spillway {
namespace {

// The stack itself, as a list that is searched from the top.
class SlowStack {
 public:
  explicit SlowStack(const ModelGeometry& shape) : shape_(shape) {}

  // Returns the bytes down to and including `expert`; 0 when it is not in the stack yet.
  uint64_t depth(ExpertId expert) const {
    uint64_t bytes = 0;
    for (const ExpertId other : stack_) {
      bytes += shape_.bytes_of(other);
      if (other == expert) {
        return bytes;
      }
    }
    return 0;
  }
  void use(ExpertId expert) {
    stack_.remove(expert);
    stack_.push_front(expert);
  }

 private:
  const ModelGeometry& shape_;
  std::list<ExpertId> stack_;
};

uint64_t hits_by_stack(const ModelGeometry& shape, const std::vector<Step>& steps, CacheSemantics semantics,
                       uint64_t capacity) {
  SlowStack stack(shape);
  uint64_t hits = 0;
  const auto look = [&](ExpertId expert) {
    const uint64_t depth = stack.depth(expert);
    hits += depth != 0 && depth <= capacity ? 1 : 0;
  };
  for (const Step& step : steps) {
    if (semantics == CacheSemantics::step) {
      std::for_each(step.experts.begin(), step.experts.end(), look);
    }
    for (const ExpertId expert : step.experts) {
      if (semantics == CacheSemantics::request) {
        look(expert);
      }
      stack.use(expert);
    }
  }
  return hits;
}

uint64_t total(const LruCurve& curve, uint64_t granules) {
  return curve.hits_at(Phase::prefill, granules) + curve.hits_at(Phase::decode, granules);
}

struct Kind {
  CacheSemantics semantics = CacheSemantics::step;
  CurveIsa isa = CurveIsa::portable;
};

std::vector<Kind> kinds() {
  std::vector<Kind> all;
  for (const CurveIsa isa : available_curve_isas()) {
    all.push_back({CacheSemantics::step, isa});
    all.push_back({CacheSemantics::request, isa});
  }
  return all;
}

// Compares every granule of the curve with a replay of that size, by phase and, where it is known, by row.
void expect_replays_agree(const AccessStream& stream, Kind kind) {
  const LruCurve curve = lru_curve(stream, kind.semantics, kind.isa);
  const uint64_t ratio = curve.row_granule_bytes / curve.granule_bytes;
  for (uint64_t granules = 1; granules < curve.hits[0].size() + 2; ++granules) {
    const uint64_t capacity = granules * curve.granule_bytes;
    if (capacity < curve.least_bytes) {
      continue;
    }
    const std::vector<uint64_t> hits = replay_lru(stream, kind.semantics, capacity);
    for (const Phase phase : {Phase::prefill, Phase::decode}) {
      ASSERT_EQ(curve.hits_at(phase, granules), phase_counts(stream, hits, phase).hits) << capacity;
    }
    for (uint32_t row = 0; row < stream.rows() && granules % ratio == 0; ++row) {
      const std::vector<uint64_t>& sums = curve.row_hits[row];
      ASSERT_EQ(sums.empty() ? 0 : sums[std::min<size_t>(granules / ratio, sums.size() - 1)], hits[row]);
    }
  }
}

TEST(LruCurve, IsWhatAStackThatIsSearchedSays) {
  const ModelGeometry shape = curve_test::shape({1000, 700, 1000}, 20, 4);
  const std::vector<Step> steps = curve_test::random_steps(shape, 900, 0, 1);
  const AccessStream stream = curve_test::stream_of(shape, steps);
  for (const Kind kind : kinds()) {
    const LruCurve curve = lru_curve(stream, kind.semantics, kind.isa);
    for (uint64_t granules = 1; granules < curve.hits[0].size(); granules += 7) {
      EXPECT_EQ(total(curve, granules),
                hits_by_stack(shape, steps, kind.semantics, granules * curve.granule_bytes));
    }
  }
}

TEST(LruCurve, HasTheHitsOfEveryReplayWithExpertsOfOneSize) {
  for (uint64_t seed = 0; seed < 4; ++seed) {
    const ModelGeometry shape = curve_test::shape({5000, 5000, 5000}, 40, 6);
    const AccessStream stream = curve_test::stream_of(shape, curve_test::random_steps(shape, 1500, 30, seed));
    for (const Kind kind : kinds()) {
      expect_replays_agree(stream, kind);
    }
  }
}

TEST(LruCurve, HasTheHitsOfEveryReplayWithExpertsOfSeveralSizes) {
  for (uint64_t seed = 0; seed < 4; ++seed) {
    const ModelGeometry shape = curve_test::shape({3'059'712, 2'654'208, 1'000'003, 2'654'208}, 24, 4);
    const AccessStream stream = curve_test::stream_of(shape, curve_test::random_steps(shape, 1500, 20, seed));
    for (const Kind kind : kinds()) {
      expect_replays_agree(stream, kind);
    }
  }
}

// Steps that grow, but stay within one group of entries that are compared at once: memory for the first step
// is too small for the next.
TEST(LruCurve, HasRoomForStepsThatGrow) {
  const ModelGeometry shape = curve_test::shape({10}, 16, 8);
  std::vector<Step> steps;
  for (uint32_t pass = 0; pass < 40; ++pass) {
    Step step;
    step.index = step.pass = pass;
    for (uint32_t expert = 0; expert <= pass % 16; ++expert) {
      step.experts.push_back(shape.id(0, (expert * 5 + pass) % 16));
    }
    steps.push_back(step);
  }
  const AccessStream stream = curve_test::stream_of(shape, steps);
  for (const Kind kind : kinds()) {
    expect_replays_agree(stream, kind);
  }
}

// The log wraps twice: there are more than twice as many accesses as places.
TEST(LruCurve, StaysRightWhenTheLogIsFull) {
  const ModelGeometry shape = curve_test::shape(std::vector<uint64_t>(8, 10), 64, 8);
  const AccessStream stream = curve_test::stream_of(shape, curve_test::random_steps(shape, 25'000, 0, 3));
  ASSERT_GT(stream.accesses(), 3U << 16);
  for (const Kind kind : kinds()) {
    const LruCurve curve = lru_curve(stream, kind.semantics, kind.isa);
    for (const uint64_t experts : {16, 60, 100, 200, 400, 512}) {
      EXPECT_EQ(total(curve, experts),
                total_counts(stream, replay_lru(stream, kind.semantics, experts * 10)).hits);
    }
  }
}

// There are so many experts that the log has several chunks.
TEST(LruCurve, TakesModelsOfAHundredThousandExperts) {
  const ModelGeometry shape = curve_test::shape(std::vector<uint64_t>(50, 10), 2000, 8);
  const AccessStream stream = curve_test::stream_of(shape, curve_test::random_steps(shape, 60'000, 200, 4));
  for (const Kind kind : kinds()) {
    const LruCurve curve = lru_curve(stream, kind.semantics, kind.isa);
    for (const uint64_t experts : {1600, 5000, 20'000, 60'000, 90'000}) {
      EXPECT_EQ(total(curve, experts),
                total_counts(stream, replay_lru(stream, kind.semantics, experts * 10)).hits);
    }
  }
}

TEST(LruCurve, BeginsAtTheLargestStepAndEndsWhereEveryExpertIsThere) {
  const ModelGeometry shape = curve_test::shape({100, 100}, 16, 2);
  const std::vector<Step> steps = curve_test::random_steps(shape, 300, 10, 5);
  const AccessStream stream = curve_test::stream_of(shape, steps);
  const LruCurve by_step = lru_curve(stream, CacheSemantics::step);
  EXPECT_EQ(by_step.granule_bytes, 100U);
  EXPECT_EQ(by_step.least_bytes, stream.largest_step_bytes());
  EXPECT_GT(by_step.least_bytes, 200U) << "a prefill step uses more than a token does";
  EXPECT_EQ(lru_curve(stream, CacheSemantics::request).least_bytes, 100U);
  const CacheCounts firsts = total_counts(stream, first_uses(stream));
  EXPECT_EQ(total(by_step, 1000), stream.accesses() - firsts.hits) << "nothing but first uses is missed";
}

TEST(LruCurve, OfNothingIsEmpty) {
  const ModelGeometry shape = curve_test::shape({100}, 16, 2);
  const LruCurve curve = lru_curve(AccessStream(shape), CacheSemantics::step);
  EXPECT_EQ(total(curve, 0), 0U);
  EXPECT_EQ(total(curve, 16), 0U);
}

}  // namespace
}  // namespace spillway
