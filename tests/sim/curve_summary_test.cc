#include "sim/curve/curve_summary.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace spillway {
namespace {

TEST(Knee, IsTheCornerOfTwoStraightLines) {
  std::vector<uint64_t> curve;
  for (uint64_t i = 0; i <= 100; ++i) {
    curve.push_back(i <= 30 ? 10 * i : 300 + (i - 30));
  }
  EXPECT_EQ(knee(curve), 30U);
}

// The knee is behind a stretch without hits, as there is below the size of one token cycle.
TEST(Knee, IsFoundBehindACliff) {
  std::vector<uint64_t> curve(40, 0);
  for (uint64_t i = 0; i <= 60; ++i) {
    curve.push_back(i <= 10 ? 100 * i : 1000 + (i - 10));
  }
  EXPECT_EQ(knee(curve), 50U);
}

// The paper's example: ten samples of 5 - 1/(x + 0.1) on [0, 1], with the knee at x = 0.22. There the slope
// equals that of the line between the ends: x = √0.11 - 0.1 = 0.2317 with enough samples.
TEST(Knee, IsWhereThePaperFindsItInItsExample) {
  for (const uint64_t samples : {uint64_t(10), uint64_t(10'001)}) {
    std::vector<uint64_t> curve;
    for (uint64_t i = 0; i < samples; ++i) {
      const double x = double(i) / double(samples - 1);
      curve.push_back(uint64_t(std::llround(1e9 * (5 - 1 / (x + 0.1) + 5))));
    }
    ASSERT_TRUE(knee(curve).has_value());
    const double at = double(*knee(curve)) / double(samples - 1);
    EXPECT_NEAR(at, samples == 10 ? 2.0 / 9 : std::sqrt(0.11) - 0.1, 1e-3);
  }
}

TEST(Knee, IsNoneOnALineOrBelowIt) {
  EXPECT_EQ(knee(std::vector<uint64_t>{}), std::nullopt);
  EXPECT_EQ(knee(std::vector<uint64_t>{5}), std::nullopt);
  EXPECT_EQ(knee(std::vector<uint64_t>{0, 10, 20, 30}), std::nullopt);
  EXPECT_EQ(knee(std::vector<uint64_t>{0, 1, 4, 9, 16}), std::nullopt);
}

TEST(MissCauses, AddUpToTheMisses) {
  const MissCauses causes = explain_misses(1000, 700, 50);
  EXPECT_EQ(causes.first_use, 50U);
  EXPECT_EQ(causes.working_set, 650U);
  EXPECT_EQ(causes.policy, 300);
  EXPECT_EQ(explain_misses(690, 700, 50).policy, -10) << "a policy may do better where sizes differ";
}

TEST(MissCausesDeathTest, CannotBeFewerThanTheFirstUses) {
  EXPECT_DEATH(explain_misses(1000, 40, 50), "precondition");
}

}  // namespace
}  // namespace spillway
