#include "sim/difference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/rng.h"

namespace spillway {
namespace {

using Method = Difference::Method;

// Hours of sleep gained with two drugs, on the same ten patients (Student: "The probable error of a mean",
// Biometrika 1908). The intervals are those of R's t.test, which the manual of its `sleep` data prints.
const std::vector<double> kFirstDrug = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
const std::vector<double> kSecondDrug = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};

TEST(Difference, IsWelchsForIndependentSamples) {
  const Difference found = difference_of({kFirstDrug}, {kSecondDrug}, false, 0.95);
  EXPECT_EQ(found.method, Method::welch);
  EXPECT_NEAR(found.estimate, 1.58, 1e-12);
  ASSERT_TRUE(found.interval);
  EXPECT_NEAR(found.interval->low, -0.2054832, 1e-6);
  EXPECT_NEAR(found.interval->high, 3.3654832, 1e-6);
}

TEST(Difference, OfPairsIsMuchSurer) {
  const Difference found = difference_of({kFirstDrug}, {kSecondDrug}, true, 0.95);
  EXPECT_EQ(found.method, Method::paired);
  EXPECT_NEAR(found.estimate, 1.58, 1e-12);
  ASSERT_TRUE(found.interval);
  EXPECT_NEAR(found.interval->low, 0.7001142, 1e-6);
  EXPECT_NEAR(found.interval->high, 2.4598858, 1e-6);
}

TEST(Difference, TakesASingleValueToScatterAsTheOtherSampleDoes) {
  const std::vector<double> one = {10};
  const std::vector<double> three = {11, 12, 13};
  const Difference found = difference_of({one}, {three}, true, 0.95);
  EXPECT_EQ(found.method, Method::pooled);
  ASSERT_TRUE(found.interval);
  // Student's t of two degrees of freedom at 97.5 % is 4.302653; the variance is 1 · (1 + 1/3).
  EXPECT_NEAR(found.interval->low, 2 - 4.302653 * std::sqrt(4.0 / 3), 1e-5);
  EXPECT_NEAR(found.interval->high, 2 + 4.302653 * std::sqrt(4.0 / 3), 1e-5);
}

TEST(Difference, FromSomethingKnownHasTheErrorOfTheOther) {
  const std::vector<double> known = {10};
  const std::vector<double> three = {11, 12, 13};
  const Difference found = difference_of({known, true}, {three}, false, 0.95);
  EXPECT_EQ(found.method, Method::one_sample);
  ASSERT_TRUE(found.interval);
  EXPECT_NEAR(found.interval->low, 2 - 4.302653 / std::sqrt(3.0), 1e-5);
  EXPECT_NEAR(found.interval->high, 2 + 4.302653 / std::sqrt(3.0), 1e-5);
}

TEST(Difference, OfWhatIsKnownIsExact) {
  const std::vector<double> ten = {10};
  const std::vector<double> thrice = {12, 12, 12};
  const Difference found = difference_of({ten, true}, {thrice, true}, false, 0.95);
  EXPECT_EQ(found.method, Method::exact);
  ASSERT_TRUE(found.interval);
  EXPECT_EQ(found.interval->low, 2);
  EXPECT_EQ(found.interval->high, 2);
}

// Values computed with different seeds count as measured.
TEST(Difference, OfComputedValuesThatScatterIsNotExact) {
  const std::vector<double> a = {10, 11};
  const std::vector<double> b = {12, 14};
  EXPECT_EQ(difference_of({a, true}, {b, true}, false, 0.95).method, Method::welch);
}

TEST(Difference, OfTwoSingleMeasurementsIsNotKnown) {
  const std::vector<double> a = {10};
  const std::vector<double> b = {12};
  for (const bool known : {false, true}) {
    const Difference found = difference_of({a, known}, {b}, true, 0.95);
    EXPECT_EQ(found.method, Method::none);
    EXPECT_EQ(found.estimate, 2);
    EXPECT_FALSE(found.interval);
  }
}

TEST(Difference, OfSamplesWithoutScatterIsANumber) {
  const std::vector<double> a = {0.1, 0.1, 0.1};
  const std::vector<double> b = {0.1, 0.1, 0.1};
  const Difference found = difference_of({a}, {b}, false, 0.95);
  ASSERT_TRUE(found.interval);
  EXPECT_EQ(found.interval->low, 0);
  EXPECT_EQ(found.interval->high, 0);
}

// A pair of normal deviates (Box and Muller 1958).
double normal(Rng& rng) {
  const double radius = std::sqrt(-2 * std::log(1 - rng.uniform()));
  return radius * std::cos(2 * M_PI * rng.uniform());
}

// Samples of unequal size and variance: the case for which Student's own interval fails.
TEST(Difference, LiesInItsIntervalAsOftenAsThatPromises) {
  for (const double confidence : {0.8, 0.95}) {
    Rng rng(17);
    constexpr int kTrials = 20'000;
    int inside = 0;
    for (int trial = 0; trial < kTrials; ++trial) {
      std::vector<double> a;
      std::vector<double> b;
      for (int i = 0; i < 4; ++i) {
        a.push_back(5 + normal(rng));
      }
      for (int i = 0; i < 12; ++i) {
        b.push_back(7 + 3 * normal(rng));
      }
      const Difference found = difference_of({a}, {b}, false, confidence);
      inside += found.interval->low <= 2 && 2 <= found.interval->high ? 1 : 0;
    }
    EXPECT_NEAR(double(inside) / kTrials, confidence, 0.01);
  }
}

}  // namespace
}  // namespace spillway
