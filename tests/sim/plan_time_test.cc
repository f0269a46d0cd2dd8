#include <gtest/gtest.h>

#include <cmath>

#include "tests/sim/plan_fixture.h"

namespace spillway::plan {
namespace {

TEST(PlanTime, AddsUpInMemory) {
  const Forecast result = forecast(round_decode());
  // 1 GB of weights and 20 experts of 10 MB at 50 GB/s; ten launches.
  EXPECT_DOUBLE_EQ(result.time.weights_s, 0.024);
  EXPECT_DOUBLE_EQ(result.time.launches_s, 0.010);
  EXPECT_EQ(result.time.drive_s, 0);
  EXPECT_EQ(result.time.hit_ratio, 1);
  EXPECT_DOUBLE_EQ(result.central, 1 / 0.034);
}

TEST(PlanTime, ManySmallWeightsAreLimitedByArithmetic) {
  Decode decode = round_decode();
  decode.model.resident_weights = 2'000'000'000;
  decode.model.expert_weights = 50'000'000;
  decode.machine.arithmetic = exactly(200e9);  // 3 G weights take 15 ms, reading them 24
  EXPECT_DOUBLE_EQ(forecast(decode).time.weights_s, 0.024);
  EXPECT_FALSE(forecast(decode).time.by_arithmetic);
  decode.machine.arithmetic = exactly(100e9);
  EXPECT_DOUBLE_EQ(forecast(decode).time.weights_s, 0.030);
  EXPECT_TRUE(forecast(decode).time.by_arithmetic);
}

TEST(PlanTime, ReadsWhatTheCacheMisses) {
  Decode decode = round_decode();
  decode.cached_share = 0.5;  // hits three of four
  const TokenTime time = forecast(decode).time;
  EXPECT_DOUBLE_EQ(time.hit_ratio, 0.75);
  EXPECT_DOUBLE_EQ(time.missed_bytes, 50e6);
  // Both of a layer's experts hit in 0.75² of the layers; the others wait for the drive.
  EXPECT_DOUBLE_EQ(time.latency_s, 10 * (1 - 0.75 * 0.75) * 100e-6);
  EXPECT_DOUBLE_EQ(time.drive_s, time.latency_s + 50e6 / 2e9);
  EXPECT_EQ(time.cached_reads_s, 0);  // experts are computed in the cache, without a copy
  EXPECT_DOUBLE_EQ(time.total_s(), 0.034 + time.drive_s);
}

TEST(PlanTime, ThroughThePageCacheHitsAreCopied) {
  Decode decode = round_decode();
  decode.cached_share = 0.5;
  decode.runtime = round_runtime(ReadPath::page_cache);
  EXPECT_DOUBLE_EQ(forecast(decode).time.cached_reads_s, 150e6 / 10e9);
}

TEST(PlanTime, WhatOverlapsIsTheSmallerOfReadingAndTheExpertsCompute) {
  Decode decode = round_decode();
  decode.cached_share = 0.5;
  decode.runtime.hidden = exactly(0.5);
  const TokenTime time = forecast(decode).time;
  EXPECT_DOUBLE_EQ(time.hidden_s, 0.5 * 0.004);  // 200 MB of experts at 50 GB/s; reading takes longer
}

TEST(PlanTime, ContextCostsAtMemorySpeedOrByQueryHeads) {
  Decode decode = round_decode();
  decode.context = 1000;  // 1 GB
  EXPECT_DOUBLE_EQ(forecast(decode).time.attention_s, 0.020);
  decode.model.query_heads_per_kv = 4;
  EXPECT_DOUBLE_EQ(forecast(decode).time.attention_s, 0.080);
  decode.machine.attention_rate = exactly(8);  // several heads share a read: memory is the limit again
  EXPECT_DOUBLE_EQ(forecast(decode).time.attention_s, 0.020);
}

TEST(PlanTime, ReadsAndWritesTheRecurrentState) {
  Decode decode = round_decode();
  decode.model.state = 500'000'000;
  EXPECT_DOUBLE_EQ(forecast(decode).time.weights_s, 0.044);
}

TEST(PlanTime, ARecordedComputeTimeReplacesTheModelledOne) {
  Decode decode = round_decode();
  decode.context = 1000;
  decode.recorded = RecordedCompute{.attention_s = 0.15, .experts_s = 0.05};
  EXPECT_DOUBLE_EQ(forecast(decode).central, 5);
}

// A layer's reads begin when its attention is done.
TEST(PlanTime, OfARecordedTimeOnlyTheExpertsHideReads) {
  Decode decode = round_decode();
  decode.cached_share = 0.5;
  decode.runtime.hidden = exactly(0.5);
  decode.recorded = RecordedCompute{.attention_s = 0.25, .experts_s = 0.01};
  const TokenTime time = forecast(decode).time;
  EXPECT_DOUBLE_EQ(time.hidden_s, 0.5 * 0.01);
  EXPECT_DOUBLE_EQ(time.total_s(), 0.26 + time.drive_s - 0.5 * 0.01);
}

TEST(PlanTime, AStripedArrayIsNearlyAsFastAsItsDrivesTogether) {
  Drive drive{"d", 1e9, 0, 0, 1};
  EXPECT_DOUBLE_EQ(array_bandwidth(drive), 1e9);
  drive.count = 2;
  EXPECT_GT(array_bandwidth(drive), 1.85e9);
  EXPECT_LT(array_bandwidth(drive), 1.97e9);
}

TEST(PlanTime, ExactConstantsLeaveNoInterval) {
  const Forecast result = forecast(round_decode());
  EXPECT_DOUBLE_EQ(result.low, result.central);
  EXPECT_DOUBLE_EQ(result.high, result.central);
}

// One uncertain constant: its ends are those of the interval. Two: their deviations add up in quadrature.
TEST(PlanTime, TheIntervalComesFromEachConstantsEnds) {
  Decode decode = round_decode();
  decode.machine.memory_share = {0.25, 0.5, 1};
  const Forecast one = forecast(decode);
  EXPECT_NEAR(one.low, 1 / 0.058, 1e-9);
  EXPECT_NEAR(one.high, 1 / 0.022, 1e-9);
  decode.machine.launch_s = {0.001, 0.001, 0.0034};  // the same deviation again
  const Forecast two = forecast(decode);
  EXPECT_NEAR(std::log(two.central / two.low), std::sqrt(2) * std::log(0.058 / 0.034), 1e-9);
  EXPECT_NEAR(two.high, one.high, 1e-9);
}

TEST(PlanTime, MoreMissesThanExpertsThereAreNot) {
  Decode decode = round_decode();
  decode.cached_share = 0.5;
  decode.locality.miss_spread = {1, 1, 100};
  const Forecast result = forecast(decode);
  // Every expert missed: 200 MB at 2 GB/s and ten latencies.
  EXPECT_NEAR(result.low, 1 / (0.034 + 0.1 + 0.001), 1e-9);
}

TEST(PlanTime, OtherTextsMostLikelyMissAsTheProfileSays) {
  Decode decode = round_decode();
  decode.cached_share = 0.5;
  decode.locality.miss_spread = exactly(2);
  EXPECT_DOUBLE_EQ(forecast(decode).time.missed_bytes, 100e6);  // half of 200 MB, where the trace misses 0.25
}

TEST(PlanLocality, IsLinearBetweenItsPointsAndToBothEnds) {
  const LocalityProfile profile{"p", {{0.2, 0.4}, {0.4, 0.8}}, exactly(1)};
  ASSERT_TRUE(profile.validate());
  EXPECT_EQ(profile.hit(0), 0);
  EXPECT_DOUBLE_EQ(profile.hit(0.1), 0.2);
  EXPECT_DOUBLE_EQ(profile.hit(0.2), 0.4);
  EXPECT_DOUBLE_EQ(profile.hit(0.3), 0.6);
  EXPECT_DOUBLE_EQ(profile.hit(0.7), 0.9);
  EXPECT_EQ(profile.hit(1), 1);
  EXPECT_EQ(profile.hit(2), 1);
}

TEST(PlanLocality, RefusesPointsThatDoNotAscend) {
  for (const std::vector<LocalityProfile::Point>& points : {std::vector<LocalityProfile::Point>{},
                                                            {{0.4, 0.1}, {0.3, 0.2}},
                                                            {{0.3, 0.2}, {0.4, 0.1}},
                                                            {{0.5, 1.1}},
                                                            {{1, 1}},
                                                            {{std::nan(""), 0.5}},
                                                            {{0.5, std::nan("")}}}) {
    EXPECT_FALSE((LocalityProfile{"p", points, exactly(1)}.validate()));
  }
}

}  // namespace
}  // namespace spillway::plan
