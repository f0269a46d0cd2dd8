#include "traces/synth.h"

#include <cmath>
#include <list>
#include <unordered_map>

#include "tests/support/recorded.h"
#include "tests/traces/import_testing.h"
#include "traces/memory_trace.h"

namespace spillway::testing {
namespace {

StatsCollector observe_all(StepSource& source) {
  StatsCollector collector(source.info().geometry);
  Step step;
  while (*source.next(step)) {
    collector.observe(step);
  }
  return collector;
}

TEST(Synth, TheSameSeedMakesTheSameTraceAndAnotherAnother) {
  const ModelGeometry geometry = small_geometry(4, 32, 4);
  const auto make = [&](uint64_t seed) {
    SynthSource source(geometry, *make_router_model(geometry, 0.8, 0.4, 1), 5, 50, seed);
    return drain(source);
  };
  const std::vector<Step> first = make(3);
  expect_same(make(3), first);
  EXPECT_EQ(first.size(), 51U * 4);
  EXPECT_EQ(first[0].tokens, 5U);
  EXPECT_EQ(first[0].phase, Phase::prefill);
  EXPECT_EQ(first[4].phase, Phase::decode);
  bool differs = false;
  const std::vector<Step> second = make(4);
  for (size_t i = 0; i < first.size(); ++i) {
    differs |= first[i].choices != second[i].choices;
  }
  EXPECT_TRUE(differs);
}

TEST(Synth, MeetsTheReuseItIsAskedFor) {
  const ModelGeometry geometry = small_geometry(16, 64, 6);
  for (const double reuse : {0.3, 0.5, 0.8}) {
    const Result<RouterModel> model = make_router_model(geometry, 0.6, reuse, 1);
    ASSERT_TRUE(model) << model.error().message;
    SynthSource source(geometry, *model, 0, 2000, 9);
    EXPECT_NEAR(observe_all(source).finish().reuse[0], reuse, 0.01);
  }
  const Result<RouterModel> impossible = make_router_model(geometry, 2.0, 0.1, 1);
  ASSERT_FALSE(impossible);
  EXPECT_NE(impossible.error().message.find("popularity alone gives"), std::string::npos);
}

TEST(Synth, WorksAtTheEdgesOfGeometry) {
  for (const ModelGeometry& geometry :
       {small_geometry(1, 1, 1), small_geometry(2, 4, 4), ModelGeometry{3, 4, 2, 1, {0, 100, 0}}}) {
    RouterModel model;
    model.popularity.assign(geometry.layers, std::vector<double>(geometry.experts_per_layer, 0.0));
    for (std::vector<double>& odds : model.popularity) {
      odds[0] = 1;  // one expert has all the odds, yet a token needs several
    }
    SynthSource source(geometry, model, 2, 10, 1);
    const TemporaryDirectory scratch;
    write_trace(scratch / "t.bin", {geometry, "", {}, {}, {}}, drain(source));
  }
}

// Returns the share of decode's accesses that hit in an LRU cache of `capacity` experts.
double lru_hit_ratio(StepSource& source, size_t capacity) {
  std::list<ExpertId> order;
  std::unordered_map<uint32_t, std::list<ExpertId>::iterator> where;
  uint64_t hits = 0;
  uint64_t accesses = 0;
  Step step;
  while (*source.next(step)) {
    for (const ExpertId id : step.experts) {
      accesses += step.phase == Phase::decode ? 1 : 0;
      if (const auto found = where.find(index_of(id)); found != where.end()) {
        hits += step.phase == Phase::decode ? 1 : 0;
        order.erase(found->second);
      } else if (order.size() == capacity) {
        where.erase(index_of(order.back()));
        order.pop_back();
      }
      order.push_front(id);
      where[index_of(id)] = order.begin();
    }
  }
  return double(hits) / double(accesses);
}

// Returns half the summed difference of two distributions: the share of choices that would have to move.
double popularity_distance(const StatsCollector& a, const StatsCollector& b, uint32_t layer) {
  const auto share = [layer](const StatsCollector& c, size_t expert) {
    double total = 0;
    for (const uint64_t count : c.popularity(layer)) {
      total += double(count);
    }
    return double(c.popularity(layer)[expert]) / total;
  };
  double distance = 0;
  for (size_t expert = 0; expert < a.popularity(layer).size(); ++expert) {
    distance += std::abs(share(a, expert) - share(b, expert)) / 2;
  }
  return distance;
}

TEST(SynthLike, HasTheReusePopularityAndLruBehaviourOfTheRealTrace) {
  SPILLWAY_NEEDS_RECORDED("bigmoe-qwen.route.csv");
  const TemporaryDirectory scratch;
  const auto reader = import_to_reader(scratch, test::recorded("bigmoe-qwen.route.csv"));
  const Result<MemoryTrace> real = MemoryTrace::load(*reader);
  ASSERT_TRUE(real) << real.error().message;
  const ModelGeometry& geometry = real->info().geometry;
  const StatsCollector observed = observe_all(*real->cursor());
  const Result<RouterModel> model = fit_router_model(geometry, observed);
  ASSERT_TRUE(model) << model.error().message;

  // A long trace shows the fitted model without the noise of a short trace.
  SynthSource source(geometry, *model, 0, 4000, 5);
  const StatsCollector made = observe_all(source);
  const ReuseProfile want = octave_means(observed.finish().reuse);
  const ReuseProfile got = octave_means(made.finish().reuse);
  for (size_t octave = 0; octave < kOctaves; ++octave) {
    EXPECT_NEAR(got[octave], want[octave], 0.02) << "lags up to " << (1 << octave);
  }
  double distance = 0;
  for (uint32_t layer = 0; layer < geometry.layers; ++layer) {
    EXPECT_LT(popularity_distance(observed, made, layer), 0.10) << "layer " << layer;
    distance += popularity_distance(observed, made, layer) / geometry.layers;
  }
  EXPECT_LT(distance, 0.06);

  // A trace of the same shape is as hard for a cache, on both sides of the cliff at one token cycle.
  for (const size_t capacity : {200U, 500U, 1000U, 2000U, 3000U}) {
    SynthSource same_shape(geometry, *model, 28, 128, 5);
    EXPECT_NEAR(lru_hit_ratio(same_shape, capacity), lru_hit_ratio(*real->cursor(), capacity), 0.04)
        << capacity << " experts";
  }
}

}  // namespace
}  // namespace spillway::testing
