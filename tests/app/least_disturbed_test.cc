#include "app/report/least_disturbed.h"

#include <gtest/gtest.h>

namespace spillway {
namespace {

// Runs of a second each, with the given stolen times, one after another.
Result<LeastDisturbed> of(std::vector<std::optional<double>> stolen_s) {
  size_t next = 0;
  return least_disturbed([&]() -> Result<Report> {
    if (next == stolen_s.size()) {
      return failed("run once more than there are runs");
    }
    Report report;
    report.io.wall = std::chrono::seconds(1);
    report.io.stolen_cpu_s = stolen_s[next];
    report.digest = std::to_string(next++);
    return report;
  });
}

TEST(LeastDisturbed, IsTheFirstRunWhereNothingOrNextToNothingWasStolen) {
  for (const std::optional<double> stolen_s :
       {std::optional<double>(), std::optional(0.0), std::optional(0.02)}) {
    const Result<LeastDisturbed> best = of({stolen_s});
    ASSERT_TRUE(best) << best.error().message;
    EXPECT_EQ(best->runs, 1U);
  }
}

TEST(LeastDisturbed, IsTheFirstOfSeveralThatIsUndisturbed) {
  const Result<LeastDisturbed> best = of({0.5, 0.3, 0.01});
  ASSERT_TRUE(best) << best.error().message;
  EXPECT_EQ(best->runs, 3U);
  EXPECT_EQ(best->report.digest, "2");
}

TEST(LeastDisturbed, IsTheLeastDisturbedOfSixWhereAllAre) {
  const Result<LeastDisturbed> best = of({0.5, 0.3, 0.1, 0.2, 0.4, 0.6});
  ASSERT_TRUE(best) << best.error().message;
  EXPECT_EQ(best->runs, 6U);
  EXPECT_EQ(best->report.digest, "2");
}

TEST(LeastDisturbed, FailsWithTheRun) {
  EXPECT_FALSE(of({}));
  const Result<LeastDisturbed> later = of({0.5});
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().message, "run once more than there are runs");
}

}  // namespace
}  // namespace spillway
