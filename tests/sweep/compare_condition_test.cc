#include <gtest/gtest.h>

#include <cmath>

#include "app/sweep/compare.h"
#include "core/json.h"

namespace spillway {
namespace {

// Measurements of one figure as one side's repetitions.
std::vector<PointResult> runs_of(const std::string& figure, Unit unit, const std::vector<double>& values,
                                 bool known = false) {
  std::vector<PointResult> runs;
  for (const double value : values) {
    PointResult run;
    run.done = true;
    run.repetition = uint32_t(runs.size() + 1);
    run.figures = {{figure, unit, value, known}};
    runs.push_back(run);
  }
  return runs;
}

ComparedSide side_of(const std::string& figure, Unit unit, const std::vector<double>& values,
                     bool known = false) {
  ComparedSide side;
  side.points[{}] = runs_of(figure, unit, values, known);
  return side;
}

JudgedFigure judged(const std::string& text, ComparedSide a, ComparedSide b) {
  const Result<Condition> condition = parse_condition(text);
  EXPECT_TRUE(condition) << text;
  const Result<Comparison> comparison = compare(std::move(a), std::move(b), 0.95);
  EXPECT_TRUE(comparison);
  const Result<JudgedCondition> judged = judge(*condition, *comparison);
  EXPECT_TRUE(judged);
  return judged->figures.front();
}

JudgedFigure speed(const std::string& text, const std::vector<double>& a, const std::vector<double>& b) {
  return judged(text, side_of("tok_per_s", Unit::tok_per_s, a), side_of("tok_per_s", Unit::tok_per_s, b));
}

TEST(CompareCondition, FailsOnlyBeyondTheBoundAndBeyondTheNoise) {
  const std::vector<double> before = {10.0, 10.1, 9.9, 10.05};
  EXPECT_EQ(speed("tok_per_s<-5%", before, {9.0, 9.1, 8.9, 9.05}).outcome, Outcome::fails);
  EXPECT_EQ(speed("tok_per_s<-15%", before, {9.0, 9.1, 8.9, 9.05}).outcome, Outcome::holds);
  EXPECT_EQ(speed("tok_per_s<-5%", before, {11.0, 11.1, 10.9, 11.05}).outcome, Outcome::holds);
  EXPECT_EQ(speed("tok_per_s>5%", before, {11.0, 11.1, 10.9, 11.05}).outcome, Outcome::fails);
  const JudgedFigure scattered = speed("tok_per_s<-5%", {10.0, 14.0, 7.0}, {9.0, 13.0, 6.0});
  EXPECT_EQ(scattered.outcome, Outcome::noise);
  EXPECT_EQ(scattered.basis, Basis::interval);
  EXPECT_LT(scattered.change, -0.05);
}

TEST(CompareCondition, ComparesTheValuesOfSingleRunsAndSaysSo) {
  const JudgedFigure slower = speed("tok_per_s<-5%", {10}, {9});
  EXPECT_EQ(slower.outcome, Outcome::fails);
  EXPECT_EQ(slower.basis, Basis::values);
  EXPECT_EQ(speed("tok_per_s<-5%", {10}, {9.6}).outcome, Outcome::holds);
  EXPECT_EQ(speed("tok_per_s<-5%", {10}, {9, 9.01, 9.02}).basis, Basis::interval);
}

TEST(CompareCondition, BoundsSharesInPercentagePoints) {
  const auto hits = [](const std::string& text, double a, double b) {
    return judged(text, side_of("hit_ratio", Unit::share, {a}, true),
                  side_of("hit_ratio", Unit::share, {b}, true));
  };
  EXPECT_EQ(hits("hit_ratio<-5%", 0.10, 0.08).outcome, Outcome::holds);
  EXPECT_EQ(hits("hit_ratio<-1%", 0.10, 0.08).outcome, Outcome::fails);
  EXPECT_EQ(hits("hit_ratio<-1%", 0.10, 0.08).basis, Basis::exact);
  EXPECT_EQ(hits("hit_ratio<0%", 0.10, 0.10).outcome, Outcome::holds);
}

TEST(CompareCondition, CountsARiseFromZeroAsBeyondEveryBound) {
  const auto stall = [](double a, double b) {
    return judged("stall_ns_per_token>50%", side_of("stall_ns_per_token", Unit::nanoseconds, {a}, true),
                  side_of("stall_ns_per_token", Unit::nanoseconds, {b}, true));
  };
  EXPECT_TRUE(std::isinf(stall(0, 5).change));
  EXPECT_EQ(stall(0, 5).outcome, Outcome::fails);
  EXPECT_EQ(stall(0, 0).outcome, Outcome::holds);
  EXPECT_EQ(stall(5, 0).outcome, Outcome::holds);
}

TEST(CompareCondition, JudgesEachPointOfACurve) {
  const JudgedFigure one = judged("hit_ratio<-1%", side_of("hit_ratio lru 4GB", Unit::share, {0.5}, true),
                                  side_of("hit_ratio lru 4GB", Unit::share, {0.3}, true));
  EXPECT_EQ(one.figure, "hit_ratio lru 4GB");
  EXPECT_EQ(one.outcome, Outcome::fails);
}

TEST(CompareCondition, IsRefusedIfNoPointHasItsFigure) {
  const Result<Comparison> comparison =
      compare(side_of("tok_per_s", Unit::tok_per_s, {1}), side_of("tok_per_s", Unit::tok_per_s, {1}), 0.95);
  ASSERT_TRUE(comparison);
  const Result<JudgedCondition> judged = judge(*parse_condition("perplexity>1%"), *comparison);
  ASSERT_FALSE(judged) << "a gate must not pass because nothing was looked at";
  EXPECT_NE(judged.error().message.find("perplexity"), std::string::npos);
}

TEST(CompareCondition, IsReadStrictly) {
  const Result<Condition> spaced = parse_condition("tok_per_s < -5 %");
  ASSERT_TRUE(spaced);
  EXPECT_EQ(spaced->figure, "tok_per_s");
  EXPECT_DOUBLE_EQ(spaced->bound, -0.05);
  EXPECT_TRUE(parse_condition("p99_ns>+2.5%"));
  for (const char* wrong : {"", "tok_per_s", "<-5%", "tok_per_s<", "tok_per_s<-5", "tok_per_s<--5%",
                            "tok_per_s<x%", "tok_per_s<nan%", "tok_per_s<5%", "p99_ns>-5%", "tok_per_s=5%"}) {
    const Result<Condition> condition = parse_condition(wrong);
    ASSERT_FALSE(condition) << wrong;
    EXPECT_EQ(condition.error().kind, ErrorKind::usage) << wrong;
  }
  EXPECT_NE(parse_condition("tok_pr_s<-5%").error().message.find("did you mean 'tok_per_s'"),
            std::string::npos);
  EXPECT_NE(parse_condition("speed<-5%").error().message.find("tok_per_s"), std::string::npos);
}

TEST(ComparedTraces, AreNamedIfTheyDiffer) {
  const auto of_trace = [](const std::string& trace) {
    ComparedSide side = side_of("tok_per_s", Unit::tok_per_s, {1});
    side.points[{}].front().trace = trace;
    return side;
  };
  EXPECT_EQ(compare(of_trace("a"), of_trace("b"), 0.95)->warnings.size(), 1U);
  EXPECT_TRUE(compare(of_trace("a"), of_trace("a"), 0.95)->warnings.empty());
  EXPECT_TRUE(compare(of_trace(""), of_trace("b"), 0.95)->warnings.empty()) << "an old result does not say";
}

TEST(PointOrder, SortsValuesByTheirWorth) {
  const auto sorted = [](const std::vector<std::string>& values) {
    std::map<PointOf, int, PointOrder> points;
    for (const std::string& value : values) {
      points[{{"cache", Json(value).dump()}}] = 1;
    }
    std::vector<std::string> order;
    for (const auto& [point, one] : points) {
      order.push_back(plain_label(point.front().second));
    }
    return order;
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(sorted({"1GB", "115MB", "300MB", "80MB", "0"}), (Texts{"0", "80MB", "115MB", "300MB", "1GB"}));
  EXPECT_EQ(sorted({"100%", "20%", "3%"}), (Texts{"3%", "20%", "100%"}));
  EXPECT_EQ(sorted({"10ms", "2ms", "500us"}), (Texts{"500us", "2ms", "10ms"}));
  EXPECT_EQ(sorted({"uring:depth=32", "uring:depth=4", "pread"}),
            (Texts{"pread", "uring:depth=4", "uring:depth=32"}));
  EXPECT_EQ(sorted({"1GB", "1000MB", "1GiB"}).size(), 3U) << "equal worth, but other values";
}

}  // namespace
}  // namespace spillway
