#include "app/calibrate/measuring_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace spillway {
namespace {

constexpr uint64_t kMeasuredBytes = uint64_t(1) << 20;

// A drive of `rate` bytes per second, on which each measurement takes `besides` for other things.
struct Drive {
  double rate = 1e9;
  double besides_s = 0.03;
};

struct Outcome {
  double spent_s = 0;
  std::map<size_t, uint32_t> measured;  // how often each load
  double shortest_s = 1e9;
};

std::vector<MeasuringPlan::Load> loads_of(size_t groups, size_t in_each, uint64_t bytes = kMeasuredBytes) {
  std::vector<MeasuringPlan::Load> loads;
  for (size_t i = 0; i < groups * in_each; ++i) {
    loads.push_back({i / in_each, 0, bytes});
  }
  return loads;
}

Outcome carry_out(const std::vector<MeasuringPlan::Load>& loads, uint32_t rounds, double time_s,
                  const Drive& drive) {
  MeasuringPlan plan(loads, rounds, from_seconds(time_s), 1);
  Outcome outcome;
  while (const auto next = plan.next(from_seconds(outcome.spent_s), drive.rate)) {
    const double duration = seconds(next->duration);
    const double reads = 2 * double(loads[next->load].bytes_in_flight) / drive.rate;
    const double cost = drive.besides_s + std::max(duration, reads);
    plan.took(next->load, next->duration, from_seconds(cost));
    outcome.spent_s += cost;
    ++outcome.measured[next->load];
    outcome.shortest_s = std::min(outcome.shortest_s, duration);
  }
  return outcome;
}

TEST(MeasuringPlanTest, measures_every_load_in_every_round_and_uses_the_time_where_there_is_enough) {
  const Outcome outcome = carry_out(loads_of(10, 6), 5, 60, {});
  EXPECT_EQ(outcome.measured.size(), 60U);
  for (const auto& [load, times] : outcome.measured) {
    EXPECT_EQ(times, 5U) << load;
  }
  EXPECT_GT(outcome.spent_s, 55);
  EXPECT_LE(outcome.spent_s, 61);
}

TEST(MeasuringPlanTest, keeps_to_the_time_whatever_the_drive) {
  for (const double rate : {5e6, 1e8, 1e9, 1e10}) {
    for (const double besides : {0.0, 0.05, 0.5}) {
      for (const double time : {5.0, 10.0, 20.0, 120.0}) {
        const Outcome outcome = carry_out(loads_of(23, 6), 5, time, {rate, besides});
        // The loads of the group that began last, at most.
        const double group = 6 * (besides + 0.02 + 2 * double(kMeasuredBytes) / rate);
        EXPECT_LE(outcome.spent_s, std::max(1.05 * time, group)) << rate << " " << besides << " " << time;
        EXPECT_GE(outcome.shortest_s, 0.0199);
      }
    }
  }
}

TEST(MeasuringPlanTest, measures_groups_whole_and_the_first_ones_first) {
  const Outcome outcome = carry_out(loads_of(23, 6), 5, 5, {});
  const size_t loads = outcome.measured.size();
  EXPECT_LT(loads, size_t(23 * 6));
  EXPECT_EQ(loads % 6, 0U);
  EXPECT_EQ(outcome.measured.rbegin()->first, loads - 1);
  // A second round tells how far the rounds differ.
  const auto fewest = std::min_element(outcome.measured.begin(), outcome.measured.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
  EXPECT_GE(fewest->second, 2U);
}

TEST(MeasuringPlanTest, passes_over_a_group_that_takes_too_long_for_one_that_fits) {
  std::vector<MeasuringPlan::Load> loads = loads_of(3, 2);
  loads[2].bytes_in_flight = loads[3].bytes_in_flight = uint64_t(4) << 30;
  const Outcome outcome = carry_out(loads, 3, 4, {});
  EXPECT_EQ(outcome.measured.count(2), 0U);
  EXPECT_GT(outcome.measured.at(0), 0U);
  EXPECT_GT(outcome.measured.at(5), 0U);
  EXPECT_LE(outcome.spent_s, 4.2);
}

TEST(MeasuringPlanTest, measures_the_first_group_once_however_long_that_takes) {
  const Outcome outcome = carry_out(loads_of(4, 3, uint64_t(1) << 30), 5, 1, {1e8, 0});
  EXPECT_EQ(outcome.measured.size(), 3U);
  EXPECT_EQ(outcome.measured.at(0), 1U);
}

TEST(MeasuringPlanTest, takes_all_the_time_for_one_round_if_no_more_are_wanted) {
  const Outcome outcome = carry_out(loads_of(2, 3), 1, 10, {});
  EXPECT_EQ(outcome.measured.size(), 6U);
  EXPECT_EQ(outcome.measured.at(0), 1U);
  EXPECT_GT(outcome.spent_s, 9);
}

}  // namespace
}  // namespace spillway
