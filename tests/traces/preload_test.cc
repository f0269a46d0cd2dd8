#include "traces/preload.h"

#include "tests/traces/trace_testing.h"

namespace spillway::testing {
namespace {

// Experts of 4096 bytes: 5 of layer 0 is used three times, 1 of layer 0 and 2 of layer 1 twice, 7
// of layer 1 once.
std::vector<Step> some_steps(const ModelGeometry& geometry) {
  std::vector<Step> steps;
  const auto use = [&](uint64_t pass, uint32_t layer, std::vector<uint16_t> choices) {
    Step& step = steps.emplace_back();
    step.pass = pass;
    step.layer = layer;
    step.choices = choices;
    for (const uint16_t choice : choices) {
      step.experts.push_back(geometry.id(layer, choice));
    }
  };
  use(0, 0, {5, 1});
  use(0, 1, {2, 7});
  use(1, 0, {1, 5});
  use(1, 1, {2, 3});
  use(2, 0, {5, 6});
  return steps;
}

StatsCollector collect(const ModelGeometry& geometry) {
  StatsCollector seen(geometry);
  for (const Step& step : some_steps(geometry)) {
    seen.observe(step);
  }
  return seen;
}

using Experts = std::vector<std::vector<ExpertId>>;

TEST(Preload, TakesTheMostPopularExpertsThatFit) {
  const ModelGeometry geometry = small_geometry(2);
  const StatsCollector seen = collect(geometry);
  const auto id = [&](uint32_t layer, uint32_t number) { return geometry.id(layer, number); };
  EXPECT_EQ(most_popular(geometry, seen, 4095), (Experts{{}, {}}));
  EXPECT_EQ(most_popular(geometry, seen, 4096), (Experts{{id(0, 5)}, {}}));
  EXPECT_EQ(most_popular(geometry, seen, 3 * 4096 + 1), (Experts{{id(0, 5), id(0, 1)}, {id(1, 2)}}));
  const Experts all = most_popular(geometry, seen, 1 << 30);
  EXPECT_EQ(all[0].size(), 3U);
  EXPECT_EQ(all[1].size(), 3U) << "an unused expert is not popular";
}

TEST(Preload, PassesOverLayersThatHadNoStep) {
  const ModelGeometry geometry = small_geometry(3);
  const StatsCollector seen = collect(geometry);
  EXPECT_EQ(most_popular(geometry, seen, 4096), (Experts{{geometry.id(0, 5)}, {}, {}}));
}

TEST(Preload, FillsWhatAnExpertTooLargeLeavesWithSmallerOnes) {
  ModelGeometry geometry = small_geometry(2);
  geometry.expert_bytes = {4096, 1024};
  const StatsCollector seen = collect(geometry);
  // 5 of layer 0 is preloaded, 1 of layer 0 would be too large; 2, 3 and 7 of layer 1 follow.
  EXPECT_EQ(most_popular(geometry, seen, 4096 + 2 * 1024),
            (Experts{{geometry.id(0, 5)}, {geometry.id(1, 2), geometry.id(1, 3)}}));
}

TEST(Preload, PutsOnePassThatAsksForThemInFront) {
  const ModelGeometry geometry = small_geometry(2);
  StepList inner(geometry, some_steps(geometry));
  const Experts experts = {{geometry.id(0, 1), geometry.id(0, 2), geometry.id(0, 3)}, {geometry.id(1, 4)}};
  PreloadSource source(inner, experts);
  std::vector<Step> steps;
  for (Step step; *source.next(step);) {
    steps.push_back(step);
  }
  ASSERT_EQ(steps.size(), 7U);
  for (size_t layer = 0; layer < 2; ++layer) {
    EXPECT_EQ(steps[layer].layer, layer);
    EXPECT_EQ(steps[layer].experts, experts[layer]);
    EXPECT_EQ(steps[layer].phase, Phase::prefill);
    EXPECT_EQ(steps[layer].pass, 0U);
    EXPECT_GT(steps[layer].tokens, 1U) << "a predictor would take the preload for a token";
  }
  for (size_t i = 0; i < steps.size(); ++i) {
    EXPECT_EQ(steps[i].index, i);
  }
  EXPECT_EQ(steps[2].pass, 1U);
  EXPECT_EQ(steps[2].phase, Phase::decode);
  EXPECT_EQ(steps[6].pass, 3U);
  EXPECT_EQ(steps[6].choices, (std::vector<uint16_t>{5, 6}));
}

TEST(Preload, LeavesOutLayersWithoutAny) {
  const ModelGeometry geometry = small_geometry(2);
  StepList inner(geometry, some_steps(geometry));
  PreloadSource source(inner, {{}, {geometry.id(1, 4)}});
  Step step;
  ASSERT_TRUE(*source.next(step));
  EXPECT_EQ(step.layer, 1U);
  ASSERT_TRUE(*source.next(step));
  EXPECT_EQ(step.pass, 1U);
  StepList again(geometry, some_steps(geometry));
  PreloadSource nothing(again, {{}, {}});
  ASSERT_TRUE(*nothing.next(step));
  EXPECT_EQ(step.pass, 0U) << "a pass was put in front";
}

TEST(Preload, IsATraceThatCanBeWrittenAndRead) {
  const ModelGeometry geometry = small_geometry(2);
  const TemporaryDirectory scratch;
  StepList inner(geometry, some_steps(geometry));
  PreloadSource source(inner, most_popular(geometry, collect(geometry), 1 << 30));
  TraceHeader header;
  header.geometry = geometry;
  auto writer = TraceWriter::create(scratch / "t.bin", header);
  ASSERT_TRUE(writer);
  for (Step step; *source.next(step);) {
    ASSERT_TRUE((*writer)->append(step));
  }
  ASSERT_TRUE((*writer)->finish());
  auto reader = TraceReader::open(scratch / "t.bin");
  ASSERT_TRUE(reader);
  Step step;
  ASSERT_TRUE(*(*reader)->next(step));
  EXPECT_EQ(step.experts.size(), 3U);
  EXPECT_EQ(step.phase, Phase::prefill);
}

}  // namespace
}  // namespace spillway::testing
