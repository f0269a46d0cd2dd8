#include "app/page/sweep_answer.h"

#include <gtest/gtest.h>

#include "app/page/html.h"
#include "app/page/sections.h"
#include "app/page/standing.h"

namespace spillway::page {
namespace {

bool holds(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

// A sweep over one axis: a value, and the speeds of its repetitions.
Sweep sweep_of(const std::vector<std::pair<std::string, std::vector<double>>>& points, bool known) {
  Sweep sweep;
  sweep.question = "Which policy?";
  sweep.axes = {{"evict", {}}};
  for (const auto& [value, speeds] : points) {
    sweep.axes.front().values.push_back(value);
    for (const double speed : speeds) {
      SweepPoint point;
      point.place = {{"evict", value}};
      point.result.done = true;
      point.result.figures = {{"tok_per_s", Unit::tok_per_s, speed, known}};
      sweep.points.push_back(std::move(point));
    }
  }
  return sweep;
}

std::string answer_of(const Sweep& sweep) {
  return sweep_answer(sweep, groups_of(sweep));
}

TEST(SweepAnswer, OneMeasuredRunEachTellsNothing) {
  const std::string answer =
      answer_of(sweep_of({{"pread", {25.3}}, {"mmap", {7}}, {"uring", {0.94}}}, false));
  EXPECT_EQ(answer,
            "Which is fastest is not known, with one run each: evict pread (25.3 tok/s) had the most, "
            "evict uring (0.940 tok/s) the least.");
}

TEST(SweepAnswer, RangesThatOverlapAreNotAWinner) {
  const std::string answer = answer_of(sweep_of({{"a", {10, 12, 11}}, {"b", {11.5, 10.2, 11}}}, false));
  EXPECT_TRUE(holds(answer, "scatter too much to tell")) << answer;
  EXPECT_TRUE(holds(answer, "11.0 tok/s, 10.0 to 12.0")) << answer;
  EXPECT_FALSE(holds(answer, "astest is evict")) << answer;
}

TEST(SweepAnswer, AClearDifferenceIsSaidWithItsRanges) {
  EXPECT_EQ(answer_of(sweep_of({{"a", {10, 10.1, 9.9}}, {"b", {20, 20.2, 19.8}}}, false)),
            "Fastest is evict b (20.0 tok/s, 19.8 to 20.2), slowest is evict a (10.0 tok/s, 9.90 to 10.1).");
}

TEST(SweepAnswer, SomeMayBeClearWhileOthersAreNot) {
  const std::string answer =
      answer_of(sweep_of({{"a", {20, 20.3, 19.7}}, {"b", {20.1, 19.8, 20.2}}, {"c", {5, 5.1, 4.9}}}, false));
  EXPECT_TRUE(holds(answer, "Fastest are ")) << answer;
  EXPECT_TRUE(holds(answer, "which cannot be told apart, slowest is evict c (5.00 tok/s")) << answer;
}

TEST(SweepAnswer, TiesOfASimulationAreNamedTogether) {
  EXPECT_EQ(answer_of(sweep_of({{"lru", {29.52}}, {"fifo", {29.52}}, {"lfu", {35}}}, true)),
            "Fastest is evict lfu (35.0 tok/s), slowest are evict lru and fifo (29.5 tok/s each).");
  EXPECT_EQ(answer_of(sweep_of({{"lru", {29.52}}, {"fifo", {29.521}}}, true)),
            "Evict lru and fifo have the same speed (29.5 tok/s).");
  EXPECT_EQ(answer_of(sweep_of({{"simulated", {5.01}}}, true)), "The only point has 5.01 tok/s.");
}

TEST(SweepAnswer, APageBeginsWithFindingsAndEndsWithWhatIsMissing) {
  Results results;
  results.sweeps = {sweep_of({{"a", {10}}, {"b", {20}}}, true), sweep_of({{"c", {10}}, {"d", {30}}}, true)};
  Sweep missing = sweep_of({{"a", {10}}}, true);
  missing.question = "At equal memory, which?";
  missing.points.front().result = PointResult{};
  missing.points.front().result.unavailable = true;
  missing.points.front().result.error = "cannot make /sys/fs/cgroup/x";
  results.sweeps.insert(results.sweeps.begin(), missing);
  FigureMaker figures("/no/such/folder");
  const std::string html = to_html(make_page(results, "results", "", figures));
  const size_t first = html.find("<h2>");
  EXPECT_LT(html.find("<a href=\"#q1\">Which policy?</a>"), first);
  EXPECT_LT(html.find("Fastest is evict b (20.0 tok/s), slowest is evict a (10.0 tok/s)."), first);
  EXPECT_GT(html.find("Not answered: At equal memory, which? (not available here: cannot make /sys"),
            html.find("</main>"));
  EXPECT_EQ(html.find("/sys/fs"), html.rfind("/sys/fs")) << "the reason is said once";
}

}  // namespace
}  // namespace spillway::page
