#include "traces/stats.h"

#include <sys/resource.h>

#include <cmath>

#include "tests/support/recorded.h"
#include "tests/traces/import_testing.h"

namespace spillway::testing {
namespace {

Step token(uint64_t pass, std::vector<uint16_t> choices, Phase phase = Phase::decode) {
  Step step;
  step.pass = pass;
  step.phase = phase;
  step.choices = std::move(choices);
  step.tokens = uint32_t(step.choices.size() / 2);
  std::vector<bool> seen(8);
  collect_distinct(small_geometry(1), seen, step);
  return step;
}

TEST(Stats, AgreeWithASmallExampleWorkedByHand) {
  StatsCollector collector(small_geometry(1));
  collector.observe(token(0, {0, 1, 0, 2}, Phase::prefill));
  collector.observe(token(1, {0, 3}));
  collector.observe(token(2, {3, 2}));
  const TraceStats stats = collector.finish();
  EXPECT_EQ(stats.steps, 3U);
  EXPECT_EQ(stats.prefill_passes, 1U);
  EXPECT_EQ(stats.prefill_tokens, 2U);
  EXPECT_EQ(stats.decode_passes, 2U);
  EXPECT_EQ(stats.decode_tokens, 2U);
  EXPECT_EQ(stats.choices, 8U);
  EXPECT_EQ(stats.accesses, 7U);
  // Tokens {0,1} {0,2} {0,3} {3,2}: one of two experts comes back each time.
  EXPECT_DOUBLE_EQ(stats.reuse[0], 0.5);
  EXPECT_DOUBLE_EQ(stats.reuse_decode[0], 0.5);
  // Two tokens back: {0,3} has 0 of {0,1}; {3,2} has 2 of {0,2}.
  EXPECT_DOUBLE_EQ(stats.reuse[1], 0.5);
  // Three tokens back: {3,2} has nothing of {0,1}.
  EXPECT_DOUBLE_EQ(stats.reuse[2], 0.0);
  EXPECT_DOUBLE_EQ(stats.mean_distinct, 4);
  // The counts are 3, 1, 2 and 2 of 8.
  const double entropy =
      -(3 / 8.0 * std::log2(3 / 8.0) + 1 / 8.0 * std::log2(1 / 8.0) + 0.5 * std::log2(0.25));
  EXPECT_NEAR(stats.entropy_bits, entropy, 1e-12);
  EXPECT_NEAR(stats.entropy_share, entropy / 3, 1e-12);
  EXPECT_DOUBLE_EQ(stats.top_tenth_share, 3 / 8.0);
}

// A batch that only lists its experts: their counts and their tokens are unknown.
TEST(Stats, TakeABatchThatListsItsExpertsForNoToken) {
  const ModelGeometry geometry = small_geometry(1);
  StatsCollector collector(geometry);
  collector.observe(token(0, {0, 1}));
  Step batch = token(1, {0, 1, 2, 3}, Phase::prefill);
  batch.choices.clear();
  collector.observe(batch);
  collector.observe(token(2, {0, 1}));
  collector.observe(token(3, {0, 4}));
  const TraceStats stats = collector.finish();
  EXPECT_EQ(stats.accesses, 10U);
  EXPECT_EQ(stats.choices, 6U);
  EXPECT_EQ(stats.prefill_tokens, 2U);
  // Only the last token has a predecessor: half of its experts come back.
  EXPECT_DOUBLE_EQ(stats.reuse[0], 0.5);
  EXPECT_DOUBLE_EQ(stats.reuse[1], 0);
  EXPECT_EQ(stats.layers[0].choices, 6U);
  EXPECT_EQ(stats.layers[0].distinct, 5U);
  EXPECT_EQ(collector.popularity(0), (std::vector<uint64_t>{4, 3, 1, 1, 1, 0, 0, 0}));
}

// A header may claim a million layers.
TEST(Stats, TakeNoMemoryForLayersThatHaveNoStep) {
  const auto peak_kib = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
  };
  const long before = peak_kib();
  StatsCollector collector(small_geometry(1U << 20, 1, 1));
  Step step;
  step.layer = 7;
  step.choices = {0};
  step.experts = {ExpertId{7}};
  collector.observe(step);
  const TraceStats stats = collector.finish();
  EXPECT_EQ(stats.layers.size(), 1U << 20);
  EXPECT_EQ(stats.mean_distinct, 1);
  EXPECT_LT(peak_kib() - before, 256 * 1024);
}

TEST(Stats, SeeExactlySixtyFourTokensBack) {
  const ModelGeometry geometry = small_geometry(1, 200, 1);
  for (const uint32_t distance : {1U, 2U, 63U, 64U, 65U, 128U}) {
    StatsCollector collector(geometry);
    for (uint64_t i = 0; i <= distance; ++i) {
      Step step;
      step.pass = i;
      step.choices = {uint16_t(i == distance ? 0 : i)};
      step.experts = {geometry.id(0, step.choices[0])};
      collector.observe(step);
    }
    const TraceStats stats = collector.finish();
    for (uint32_t lag = 1; lag <= kMaxLag; ++lag) {
      EXPECT_EQ(stats.reuse[lag - 1] > 0, lag == distance) << "distance " << distance << ", lag " << lag;
    }
  }
}

// BigMoeOnEdge's published figures of its traces, rounded to 0.1 points (docs/CLAIMS.md, Locality).
struct Published {
  const char* file;
  double reuse;
  uint64_t decode_tokens;
  uint64_t prefill_tokens;
};

class PublishedReuse : public ::testing::TestWithParam<Published> {};

TEST_P(PublishedReuse, IsWhatWeMeasure) {
  const std::string path = test::recorded(GetParam().file);
  SPILLWAY_NEEDS_RECORDED(GetParam().file);
  ImportOptions options;
  if (path.ends_with(".jsonl")) {
    options.experts_per_layer = 64;
    options.expert_bytes = {3'538'944};
  }
  const Imported got = import_all(path, options);
  ASSERT_EQ(got.error, "");
  StatsCollector collector(got.header.geometry);
  for (const Step& step : got.steps) {
    collector.observe(step);
  }
  const TraceStats stats = collector.finish();
  EXPECT_NEAR(100 * stats.reuse[0], GetParam().reuse, 0.051);
  EXPECT_EQ(stats.decode_tokens, GetParam().decode_tokens);
  EXPECT_EQ(stats.prefill_tokens, GetParam().prefill_tokens);
}

INSTANTIATE_TEST_SUITE_P(SharedTraces, PublishedReuse,
                         ::testing::Values(Published{"bigmoe-qwen.route.csv", 36.8, 128, 28},
                                           Published{"bigmoe-gemma.route.csv", 35.6, 128, 29},
                                           Published{"warp-olmoe_299.jsonl", 43.5, 299, 0}),
                         [](const auto& shared) {
                           const std::string file = shared.param.file;
                           return file.find("qwen") != std::string::npos    ? "Qwen3"
                                  : file.find("gemma") != std::string::npos ? "Gemma4"
                                                                            : "Olmoe";
                         });

}  // namespace
}  // namespace spillway::testing
