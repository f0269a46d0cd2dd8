#include <gtest/gtest.h>

#include "app/sweep/figures.h"
#include "core/json.h"

namespace spillway {
namespace {

TEST(SweepFigures, AreWrittenWithTheirUnits) {
  EXPECT_EQ(format_figure(7.4e9, Unit::bytes_per_s), "7.40 GB/s");
  EXPECT_EQ(format_figure(7.4e9, Unit::bytes), "7.40 GB");
  EXPECT_EQ(format_figure(0.125, Unit::share), "12.50 %");
}

TEST(SweepFigures, HaveTheirMedianAsTheirCentre) {
  EXPECT_EQ(median_of({3, 1, 100}), 3);
  EXPECT_EQ(median_of({4, 1, 2, 100}), 3);
  EXPECT_EQ(median_of({}), 0);
}

}  // namespace
}  // namespace spillway
