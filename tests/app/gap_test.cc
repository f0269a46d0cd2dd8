#include "app/report/gap.h"

#include <gtest/gtest.h>

namespace spillway {
namespace {

// A drive of 2 GB/s. A token uses 1 GB; the policy reads 300 MB of it, the best policy would read 100 MB.
// Random reads reach 1.5 GB/s, so the policy's take 200 ms. They take 220 ms with the barrier, 230 ms in a
// direct run (5 ms of it slow moments), 300 ms with the chosen backend, 350 ms with 120 ms of compute, and
// 340 ms with prefetch, which reads 15 MB in vain.
GapEvidence by_hand() {
  GapEvidence evidence;
  evidence.achieved_s = 0.345;
  evidence.best_bytes_per_s = 2e9;
  evidence.cycle_bytes = 1e9;
  evidence.missed_bytes = 300e6;
  evidence.optimal_bytes = 100e6;
  evidence.random_bytes_per_s = 1.5e9;
  evidence.barrier_s = 0.220;
  evidence.direct_s = 0.230;
  evidence.tail_s = 0.005;
  evidence.backend_s = 0.300;
  evidence.backend = "mmap";
  evidence.management_s = 0.002;
  evidence.with_compute_s = 0.350;
  evidence.with_prefetch_s = 0.340;
  evidence.compute_s = 0.120;
  evidence.wasted_bytes = 15e6;
  evidence.prefetches = true;
  evidence.computes = true;
  return evidence;
}

double bar(const Gap& gap, const std::string& name) {
  for (const GapBar& one : gap.bars) {
    if (one.name == name) {
      return one.s_per_token;
    }
  }
  ADD_FAILURE() << "no bar " << name;
  return 0;
}

TEST(Gap, gives_each_cause_the_time_that_goes_when_it_is_taken_away) {
  const Gap gap = explain(by_hand());
  EXPECT_DOUBLE_EQ(gap.seed_s_per_token, 0.5);
  EXPECT_DOUBLE_EQ(bar(gap, "cache, best policy"), -0.45);
  EXPECT_DOUBLE_EQ(bar(gap, "eviction policy"), 0.1);
  EXPECT_DOUBLE_EQ(bar(gap, "access pattern"), 0.05);
  EXPECT_NEAR(bar(gap, "queue depth and layer barrier"), 0.02, 1e-12);
  EXPECT_DOUBLE_EQ(bar(gap, "cache management"), 0.002);
  EXPECT_DOUBLE_EQ(bar(gap, "tail"), 0.005);
  EXPECT_NEAR(bar(gap, "syscalls, faults and copies"), 0.07, 1e-12);
  EXPECT_NEAR(bar(gap, "compute not overlapped"), 0.05, 1e-12);
  EXPECT_DOUBLE_EQ(bar(gap, "wasted prefetch"), 0.01);
  EXPECT_NEAR(bar(gap, "prefetch otherwise"), -0.02, 1e-12);
}

TEST(Gap, leaves_as_residual_what_the_bars_do_not_explain) {
  // The direct path took 230 ms where simulation, management and tail make 227; the run with prefetch took
  // 345 ms live and 340 ms when repeated: 3 + 5.
  EXPECT_NEAR(explain(by_hand()).residual_s_per_token(), 0.008, 1e-12);
}

TEST(Gap, has_a_bar_for_what_a_live_model_waited_beyond_its_replay) {
  GapEvidence evidence = by_hand();
  evidence.stall_s = 0.210;
  const double without = explain(evidence).residual_s_per_token();
  evidence.live_stall_s = 0.213;
  const Gap gap = explain(evidence);
  EXPECT_NEAR(bar(gap, "reads while it was live"), 0.003, 1e-12);
  EXPECT_NEAR(gap.residual_s_per_token(), without - 0.003, 1e-12);
}

// The drive usually takes 1.1 times the expected time: 1.2 times is within the usual, 3 times is not. A token
// without reads does not count.
TEST(SlowMoments, are_all_that_a_slow_token_took_beyond_the_usual) {
  const std::vector<TokenReads> tokens = {{0.11, 0.1}, {0.22, 0.2}, {0.12, 0.1},
                                          {0.3, 0.1},  {0.11, 0.1}, {5, 0}};
  EXPECT_NEAR(slow_moments(tokens), 0.3 - 0.11, 1e-12);
  EXPECT_EQ(slow_moments(std::vector<TokenReads>{{5, 0}}), 0);
}

TEST(Gap, has_no_bar_for_a_cause_that_is_not_there) {
  GapEvidence evidence = by_hand();
  evidence.computes = false;
  evidence.prefetches = false;
  evidence.backend_s = evidence.direct_s;
  for (const GapBar& one : explain(evidence).bars) {
    EXPECT_EQ(one.name.find("prefetch"), std::string::npos) << one.name;
    EXPECT_EQ(one.name.find("compute"), std::string::npos) << one.name;
    EXPECT_EQ(one.name.find("syscalls"), std::string::npos) << one.name;
    EXPECT_EQ(one.name.find("live"), std::string::npos) << one.name;
  }
}

// No run measured them, and virtual time has neither.
TEST(Gap, of_a_simulation_has_no_bars_of_management_and_tail) {
  GapEvidence evidence = by_hand();
  evidence.simulated = true;
  for (const GapBar& one : explain(evidence).bars) {
    EXPECT_NE(one.name, "cache management");
    EXPECT_NE(one.name, "tail");
    EXPECT_NE(one.how, GapBar::How::measured) << one.name;
  }
}

TEST(Gap, prints_no_rate_where_a_token_takes_no_time) {
  GapEvidence evidence = by_hand();
  evidence.achieved_s = 0;
  const std::string table = to_table(explain(evidence));
  EXPECT_EQ(table.find("inf"), std::string::npos) << table;
  EXPECT_EQ(table.find("nan"), std::string::npos) << table;
}

TEST(Gap, prints_every_bar_the_residual_and_both_ends) {
  const Gap gap = explain(by_hand());
  const std::string table = to_table(gap);
  for (const GapBar& one : gap.bars) {
    EXPECT_NE(table.find(one.name), std::string::npos) << one.name;
  }
  EXPECT_NE(table.find("residual"), std::string::npos);
  EXPECT_NE(table.find("2.00 tok/s"), std::string::npos) << table;  // 1 / 0.5
  EXPECT_NE(table.find("2.90 tok/s"), std::string::npos) << table;  // 1 / 0.345
  EXPECT_NE(table.find("2.3 % of a token"), std::string::npos) << table;
}

}  // namespace
}  // namespace spillway
