#include "app/repeat/run_table.h"

#include <gtest/gtest.h>

#include "core/json.h"

namespace spillway {
namespace {

Report report_of(double stolen_s) {
  Report report;
  report.io.wall = Nanoseconds(2'000'000'000);
  report.io.device_bytes = 6'000'000'000;
  report.io.stolen_cpu_s = stolen_s;
  return report;
}

TEST(RunTable, MarksTheRunsThatWereDisturbed) {
  RunTable table{"spillway replay", {{"cache", {"1GB", "2GB"}}}, {}};
  table.points.emplace_back(RepeatedPoint::Place{{"cache", "1GB"}});
  table.points.emplace_back(RepeatedPoint::Place{{"cache", "2GB"}});
  table.points[0].add(report_of(0));
  table.points[0].add(report_of(1));
  table.points[1].add(report_of(0));
  EXPECT_EQ(table.points[0].disturbed(), 1U);
  EXPECT_NE(to_text(table, "table").find("2, 1 disturbed"), std::string::npos) << to_text(table, "table");
  EXPECT_EQ(to_json(table, false)["points"][0]["disturbed_runs"], 1);
  EXPECT_EQ(to_json(table, false)["points"][1]["disturbed_runs"], 0);
}

TEST(RunTable, ShowsTheRateOfTheDriveAndNoErrorOfASingleRun) {
  RepeatedPoint point({});
  point.add(report_of(0));
  const std::vector<RepeatedFigure> figures = point.figures();
  const auto rate = std::find_if(figures.begin(), figures.end(), [](const RepeatedFigure& figure) {
    return figure.name == "read_bytes_per_s";
  });
  ASSERT_NE(rate, figures.end());
  EXPECT_DOUBLE_EQ(rate->mean, 3e9);
  EXPECT_FALSE(rate->interval);
}

TEST(RunTable, LeavesOutPointsWithoutARun) {
  RunTable table{"spillway replay", {{"evict", {"a|b", "c"}}}, {}};
  table.points.emplace_back(RepeatedPoint::Place{{"evict", "a|b"}});
  table.points.emplace_back(RepeatedPoint::Place{{"evict", "c"}});
  table.points[0].add(report_of(0));
  EXPECT_EQ(to_json(table, true)["points"].size(), 1U);
  EXPECT_EQ(to_json(table, true)["runs"].size(), 1U);
  EXPECT_NE(to_text(table, "markdown").find("| a\\|b |"), std::string::npos);
}

}  // namespace
}  // namespace spillway
