#include "runtime/paced_compute.h"

#include <gtest/gtest.h>

#include "tests/support/fakes.h"
#include "tests/support/step_list.h"

namespace spillway {
namespace {

TEST(PacedCompute, LeavesTheDriveOneExpertAndTheNextLayersAttentionBetweenReads) {
  const ModelGeometry shape = fake::geometry({1000, 1000}, 16, 4);
  const std::vector<Step> steps = fake::random_steps(shape, 0, 3, 0.5, 1);
  ASSERT_EQ(steps.front().experts.size(), 4U);
  const auto pause = [&](const char* compute) {
    test::StepList source(shape, steps);
    return between_reads(*parse_compute(compute), source);
  };
  EXPECT_EQ(*pause("0.5ms+1ms"), std::chrono::microseconds(750));
  EXPECT_EQ(*pause("none"), Nanoseconds(0));
  EXPECT_FALSE(pause("recorded")) << "these steps have no times";
}

}  // namespace
}  // namespace spillway
