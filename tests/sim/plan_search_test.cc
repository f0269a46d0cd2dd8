#include <gtest/gtest.h>

#include <array>

#include "core/units.h"
#include "sim/plan/search.h"
#include "tests/sim/plan_fixture.h"

namespace spillway::plan {
namespace {

constexpr uint64_t kGB = 1'000'000'000;

TEST(Plan, EveryByteOfMemoryHasAnOwner) {
  Question question = round_question();
  question.context = 100;
  const MemoryPlan memory = plan_memory(question);
  EXPECT_TRUE(memory.fits());
  EXPECT_EQ(memory.system + memory.resident + memory.context + memory.work + memory.cache, memory.total);
  EXPECT_EQ(memory.context, 100'000'000U);
  EXPECT_EQ(memory.bank, 10 * kGB);
  EXPECT_FALSE(memory.holds_all_experts());
  EXPECT_EQ(memory.peak(), memory.total - memory.system);
}

TEST(Plan, ACacheIsNeverLargerThanAllExperts) {
  const MemoryPlan memory = plan_memory(with_memory(round_question(), 100 * kGB));
  EXPECT_EQ(memory.cache, memory.bank);
  EXPECT_TRUE(memory.holds_all_experts());
}

TEST(Plan, WhatDoesNotFitHasNoSpeedAndSaysWhatItNeeds) {
  const Plan plan = make_plan(with_memory(round_question(), 2 * kGB));
  EXPECT_FALSE(plan.memory.fits());
  EXPECT_FALSE(plan.speed);
  EXPECT_EQ(plan.memory.cache, 0U);
  EXPECT_EQ(plan.memory.needed(), 2 * kGB + 256'000'000 + 20'000'000);
  EXPECT_TRUE(make_plan(with_memory(round_question(), plan.memory.needed())).speed);
  EXPECT_FALSE(make_plan(with_memory(round_question(), plan.memory.needed() - 1)).speed);
}

TEST(Plan, StreamsOnlyWhatMemoryDoesNotHold) {
  Question question = round_question();
  question.resident.launch_factor = exactly(0.5);
  const Plan streamed = make_plan(question);
  EXPECT_TRUE(streamed.streams);
  EXPECT_EQ(streamed.speed->time.launches_s, 0.010);
  const Plan resident = make_plan(with_memory(question, 100 * kGB));
  EXPECT_FALSE(resident.streams);
  EXPECT_EQ(resident.speed->time.launches_s, 0.005);
  EXPECT_EQ(resident.speed->time.missed_bytes, 0);
}

TEST(Plan, WithoutADriveOnlyWhatIsInMemoryRuns) {
  Question question = round_question();
  question.drive.bandwidth = 0;
  EXPECT_FALSE(make_plan(question).speed);
  EXPECT_TRUE(make_plan(with_memory(question, 100 * kGB)).speed);
}

// 943 MB a token from 17.5 GB/s: "theoretical 18.6 tok/s".
TEST(Plan, TheSeedCeilingIsWhatTheFieldCallsTheoretical) {
  Question question = round_question();
  question.model = model_bytes(qwen35_397b(), named_bits(2).value());
  question.top_k = 4;
  question.drive.bandwidth = 17.5e9;
  EXPECT_NEAR(make_plan(question).seed_ceiling, 18.6, 0.1);
}

TEST(PlanSearch, SweepsDrivesWithinMemories) {
  const std::array<uint64_t, 2> memories = {5 * kGB, 10 * kGB};
  const std::array<double, 3> bandwidths = {1e9, 2e9, 4e9};
  const std::vector<double> speeds = sweep(round_question(), memories, bandwidths);
  ASSERT_EQ(speeds.size(), 6U);
  EXPECT_EQ(speeds[5], speed_of(round_question()));
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_TRUE(i % 3 == 0 || speeds[i] > speeds[i - 1]) << i;  // a faster drive
    EXPECT_TRUE(i < 3 || speeds[i] > speeds[i - 3]) << i;       // more memory
  }
}

TEST(PlanSearch, MoreMemoryThanEnoughBringsLessThanTheGain) {
  const Question question = round_question();
  const uint64_t enough = memory_enough(question, 0.05);
  const double most = speed_of(with_memory(question, 1000 * kGB));
  EXPECT_GE(speed_of(with_memory(question, enough)) * 1.05, most);
  EXPECT_EQ(enough % kGiB, 0U) << "memory is sold so";
  EXPECT_LT(speed_of(with_memory(question, enough - kGiB)) * 1.05, most);
}

TEST(PlanSearch, AFasterDriveThanEnoughBringsLessThanTheGain) {
  const Question question = round_question();
  const double enough = bandwidth_enough(question, 0.05).value();
  const double most = speed_of(with_bandwidth(question, 1e15));
  EXPECT_GE(speed_of(with_bandwidth(question, enough)) * 1.05, most);
  EXPECT_LT(speed_of(with_bandwidth(question, enough * 0.98)) * 1.05, most);
}

TEST(PlanSearch, NoDriveMattersWhereAllIsInMemoryOrNothingFits) {
  EXPECT_EQ(bandwidth_enough(with_memory(round_question(), 100 * kGB), 0.05), 0);
  EXPECT_FALSE(bandwidth_enough(with_memory(round_question(), kGB), 0.05));
}

TEST(PlanSearch, TheCheapestOfferReachesTheTarget) {
  const std::array<uint64_t, 3> memories = {5 * kGiB, 10 * kGiB, 20 * kGiB};
  const std::array<Drive, 2> drives = {Drive{"slow", 1e9, 100e-6, 50, 1}, Drive{"fast", 8e9, 100e-6, 80, 2}};
  const std::vector<Offer> list = offers(round_question(), memories, drives, 10);
  ASSERT_EQ(list.size(), 6U);
  EXPECT_EQ(list.front().price, 5 * 10 + 50);
  EXPECT_EQ(list.back().price, 20 * 10 + 160);
  double best_before = 0;
  const Offer* found = cheapest(list, 25, false);
  ASSERT_NE(found, nullptr);
  EXPECT_GE(found->plan.speed->central, 25);
  for (const Offer* offer = list.data(); offer != found; ++offer) {
    best_before = std::max(best_before, offer->plan.speed->central);
  }
  EXPECT_LT(best_before, 25);
  EXPECT_EQ(cheapest(list, 1e6, false), nullptr);
}

TEST(PlanSearch, ASureOfferReachesTheTargetAtItsLowEnd) {
  Question question = round_question();
  question.machine.memory_share = {0.4, 0.5, 0.6};
  const std::array<uint64_t, 2> memories = {10 * kGB, 100 * kGB};
  const std::array<Drive, 1> drives = {question.drive};
  const std::vector<Offer> list = offers(question, memories, drives, 1);
  const double target = list[0].plan.speed->central;
  EXPECT_EQ(cheapest(list, target, false), &list[0]);
  EXPECT_EQ(cheapest(list, target, true), &list[1]);
}

}  // namespace
}  // namespace spillway::plan
