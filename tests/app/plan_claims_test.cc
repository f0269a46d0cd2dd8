#include <gtest/gtest.h>

#include <algorithm>

#include "app/plan/claims.h"
#include "app/plan/report.h"

namespace spillway {
namespace {

TEST(PlanClaims, MostPublishedFiguresAreMetWithinAFifth) {
  const Result<Claims> claims = check_claims();
  ASSERT_TRUE(claims) << claims.error().message;
  EXPECT_GE(claims->covered.size(), 19U);
  EXPECT_GE(3 * claims->within(0.20), 2 * claims->covered.size());
  EXPECT_GE(4 * claims->within(0.15), 3 * claims->covered.size());
}

// Intervals that hold every figure would be too wide to say anything.
TEST(PlanClaims, IntervalsHoldMostFiguresAndAreNotWide) {
  const Result<Claims> claims = check_claims();
  ASSERT_TRUE(claims) << claims.error().message;
  size_t inside = 0;
  for (const Claim& claim : claims->covered) {
    inside += claim.within_interval() ? 1 : 0;
    EXPECT_LT(claim.forecast.low, claim.forecast.central) << claim.what;
    EXPECT_LT(claim.forecast.high / claim.forecast.low, 2.5) << claim.what;
  }
  EXPECT_GE(3 * inside, 2 * claims->covered.size());
}

TEST(PlanClaims, SpeedFallsWithContextAsItDidOnTheM1Ultra) {
  const Result<Claims> claims = check_claims();
  ASSERT_TRUE(claims) << claims.error().message;
  std::vector<const Claim*> rows;
  for (const Claim& claim : claims->covered) {
    if (claim.inputs.machine.name == "apple-m1-ultra") {
      rows.push_back(&claim);
    }
  }
  ASSERT_EQ(rows.size(), 8U);
  const double published = rows.back()->published / rows.front()->published;  // 40 % is left at 250k
  const double planned = rows.back()->forecast.central / rows.front()->forecast.central;
  EXPECT_NEAR(planned, published, 0.1);
}

// Some constants were derived from these very systems, among others. Each row is planned again with constants
// that were measured elsewhere; the presets' sources give the numbers.
TEST(PlanClaims, RowsHoldWithConstantsThatOweNothingToTheirOwnSystem) {
  const Result<Claims> claims = check_claims();
  ASSERT_TRUE(claims) << claims.error().message;
  size_t held = 0;
  for (const Claim& claim : claims->covered) {
    plan::Decode inputs = claim.inputs;
    const std::string& machine = inputs.machine.name;
    if (machine == "apple-m1-ultra") {
      inputs.runtime.launch_factor.central = 2.05;   // the other two of the three
      inputs.machine.attention_rate.central = 1.83;  // the M2 Max alone
    } else if (machine == "apple-m2-max") {
      inputs.machine.attention_rate.central = 2.05;  // the M1 Ultra alone
    } else if (machine == "apple-m5-max") {
      inputs.machine.launch_s.central = 52e-6;      // without the 122B
      inputs.machine.attention_rate.central = 6.2;  // 16k to 32k
    } else if (machine == "phone-2026") {
      inputs.machine.arithmetic.central = 23.2e9;  // the runs with 8 experts
    } else if (machine == "apple-m3-max") {
      inputs.runtime.launch_factor.central = 9.0;  // the engine before it
    }
    held += std::abs(plan::forecast(inputs).central / claim.published - 1) <= 0.20 ? 1 : 0;
  }
  EXPECT_GE(4 * held, 3 * claims->covered.size());
}

TEST(PlanClaims, WhatIsNotCoveredSaysWhy) {
  const Result<Claims> claims = check_claims();
  ASSERT_TRUE(claims) << claims.error().message;
  EXPECT_FALSE(claims->not_covered.empty());
  for (const UncoveredClaim& claim : claims->not_covered) {
    EXPECT_FALSE(claim.why.empty()) << claim.what;
  }
  const std::string table = claims_table(*claims);
  EXPECT_NE(table.find("There is no M4 Ultra"), std::string::npos);
  EXPECT_NE(table.find("35B Q4 on M4 Max"), std::string::npos);  // the miss is shown
}

}  // namespace
}  // namespace spillway
