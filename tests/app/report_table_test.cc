#include <gtest/gtest.h>

#include "app/report/report.h"

namespace spillway {
namespace {

Report report_of(uint64_t bytes_read) {
  Report report;
  report.command = "replay";
  report.geometry = {
      .layers = 1, .experts_per_layer = 4, .top_k = 2, .used_top_k = 2, .expert_bytes = {1 << 20}};
  report.io.counts.bytes_read = bytes_read;
  report.io.cpu_s = 3;
  return report;
}

TEST(ReportTable, SaysWhatAGigabyteCostsTheProcessorOnlyWhereThatMeansSomething) {
  const std::string much = to_table(report_of(2'000'000'000));
  EXPECT_NE(much.find("3.00 s, 1.5000 s per GB asked for"), std::string::npos) << much;
  const std::string little = to_table(report_of(99'000'000));
  EXPECT_NE(little.find("3.00 s\n"), std::string::npos) << little;
  EXPECT_EQ(little.find("per GB"), std::string::npos) << little;
}

TEST(ReportTable, SaysWhereTheHostHeldTheProcessorsBack) {
  Report report = report_of(99'000'000);
  report.io.wall = Nanoseconds(10'000'000'000);
  EXPECT_EQ(to_table(report).find("stolen"), std::string::npos);  // the kernel does not report it
  report.io.stolen_cpu_s = 0.19;
  EXPECT_EQ(to_table(report).find("stolen"), std::string::npos);  // within the tolerance
  report.io.stolen_cpu_s = 0.5;
  EXPECT_NE(to_table(report).find("stolen          5.0 % of a core's time"), std::string::npos)
      << to_table(report);
}

}  // namespace
}  // namespace spillway
