#include "sim/calibration.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/rng.h"
#include "tests/sim/device.h"

namespace spillway {
namespace {

using test::device;

TEST(BootstrapMedian, holds_the_median_and_narrows_with_more_values) {
  Rng rng(3);
  std::vector<double> few;
  std::vector<double> many;
  for (int i = 0; i < 2001; ++i) {
    many.push_back(rng.uniform());
    if (i < 21) {
      few.push_back(many.back());
    }
  }
  const MedianInterval wide = bootstrap_median(few, 1);
  const MedianInterval narrow = bootstrap_median(many, 1);
  EXPECT_LE(wide.low, wide.middle);
  EXPECT_GE(wide.high, wide.middle);
  EXPECT_NEAR(narrow.middle, 0.5, 0.04);
  EXPECT_LT(narrow.high - narrow.low, (wide.high - wide.low) / 3);
  // The median of n uniform values has a standard deviation of 1 / (2 sqrt(n)).
  EXPECT_NEAR(narrow.high - narrow.low, 2 * 1.96 / (2 * std::sqrt(2001.0)), 0.015);
}

TEST(BootstrapMedian, of_one_value_is_that_value) {
  const MedianInterval one = bootstrap_median(std::vector<double>{5}, 1);
  EXPECT_EQ(one.low, 5);
  EXPECT_EQ(one.middle, 5);
  EXPECT_EQ(one.high, 5);
}

TEST(SummariseLatency, gives_mean_and_quantiles) {
  std::vector<double> latencies;
  for (int i = 1000; i >= 0; --i) {
    latencies.push_back(i);
  }
  LoadPoint point;
  summarise_latency(latencies, point);
  EXPECT_EQ(point.requests, 1001U);
  EXPECT_DOUBLE_EQ(point.mean_latency_ns, 500);
  for (size_t i = 0; i < kLatencyQuantiles.size(); ++i) {
    EXPECT_DOUBLE_EQ(point.latency_ns[i], 1000 * kLatencyQuantiles[i]);
  }
}

TEST(SteadyBandwidth, of_a_linear_drive_is_its_latency_alone_and_its_link_when_deep) {
  // 1 MB at 1 GB/s takes 1000 µs plus 1000 µs of latency: alone, a read reaches half the link's bandwidth;
  // with two in flight, all of it.
  const std::string text = "linear:bandwidth=1GB/s,latency=1ms";
  EXPECT_NEAR(steady_bandwidth(*device(text), 1'000'000, 1), 0.5e9, 1e6);
  EXPECT_NEAR(steady_bandwidth(*device(text), 1'000'000, 2), 1e9, 1e6);
  EXPECT_NEAR(steady_bandwidth(*device(text), 1'000'000, 8), 1e9, 1e6);
}

// Measures a model as `calibrate` would measure a drive.
AccessMethod measure(const std::string& text) {
  AccessMethod method{"modelled", "uring", 64, 1, {}, {}};
  for (const uint64_t block : {4 * kKiB, 64 * kKiB, 256 * kKiB, kMiB, 4 * kMiB, 16 * kMiB}) {
    for (const uint32_t depth : {1U, 2U, 4U, 8U, 16U, 64U}) {
      LoadPoint point;
      point.block_bytes = block;
      point.depth = depth;
      point.bytes_per_s = steady_bandwidth(*device(text), block, depth);
      // By Little's law.
      std::vector<double> latency = {1e9 * double(block) * depth / point.bytes_per_s};
      summarise_latency(latency, point);
      method.random.push_back(point);
    }
  }
  return method;
}

TEST(FitLinear, finds_the_parameters_of_a_linear_drive) {
  Result<FittedModel> fit = fit_linear(measure("linear:bandwidth=3GB/s,latency=90us"));
  ASSERT_TRUE(fit.has_value()) << fit.error().message;
  uint64_t bandwidth = 0;
  uint64_t latency = 0;
  ASSERT_EQ(std::sscanf(fit->spec.c_str(), "linear:bandwidth=%luB/s,latency=%luns", &bandwidth, &latency), 2)
      << fit->spec;
  EXPECT_NEAR(double(bandwidth), 3e9, 3e7);
  EXPECT_NEAR(double(latency), 90e3, 900);
  EXPECT_LT(fit->median_error, 0.01);
}

TEST(FitLinear, is_not_led_astray_by_one_bad_point) {
  AccessMethod method = measure("linear:bandwidth=3GB/s,latency=90us");
  for (LoadPoint& point : method.random) {
    if (point.depth == 1 && point.block_bytes == 256 * kKiB) {
      point.mean_latency_ns *= 20;
    }
  }
  Result<FittedModel> fit = fit_linear(method);
  ASSERT_TRUE(fit.has_value()) << fit.error().message;
  EXPECT_LT(fit->median_error, 0.03) << fit->spec;
}

TEST(FitQueueing, comes_near_a_drive_with_channels_where_a_line_does_not) {
  const AccessMethod method = measure(
      "queueing:channels=16,unit=128KiB,access=60us,channel_bandwidth=900MB/s,link=6GB/"
      "s,overhead=2us,latency="
      "10us");
  Result<FittedModel> queueing = fit_queueing(method);
  Result<FittedModel> linear = fit_linear(method);
  ASSERT_TRUE(queueing.has_value()) << queueing.error().message;
  ASSERT_TRUE(linear.has_value()) << linear.error().message;
  EXPECT_LT(queueing->median_error, 0.10) << queueing->spec;
  EXPECT_LT(queueing->median_error, linear->median_error);
}

TEST(Fits, refuse_a_method_with_too_few_points) {
  AccessMethod method = measure("linear");
  method.random.resize(7);
  EXPECT_FALSE(fit_linear(method).has_value());
  EXPECT_FALSE(fit_queueing(method).has_value());
}

// Values at 0, 10, 50, 90, 95, 99, 99.9 and 100 %: 10 up to the median, then linear to 20 at 90 %. The last
// hundredth is far larger.
TEST(MeanUpTo, is_of_a_distribution_with_or_without_its_tail) {
  const LatencyQuantiles values = {10, 10, 10, 20, 20, 20, 1020, 2020};
  EXPECT_NEAR(mean_up_to(0.5, values), 10, 1e-9);
  EXPECT_NEAR(mean_up_to(0.99, values), (5 + 6 + 1.8) / 0.99, 1e-9);
  EXPECT_NEAR(mean_up_to(1, values), 5 + 6 + 1.8 + 0.009 * 520 + 0.001 * 1520, 1e-9);
}

}  // namespace
}  // namespace spillway
