#include "model/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

namespace spillway {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// All limits off: the plain softmax.
SamplerOptions unlimited(uint64_t seed) {
  return {.top_k = 0, .top_p = 1, .min_p = 0, .temperature = 1, .seed = seed};
}

std::vector<float> random_logits(size_t count, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> logits(count);
  for (float& logit : logits) {
    logit = float(rng.uniform() * 6 - 3);
  }
  return logits;
}

std::vector<int> draw_many(const SamplerOptions& options, const std::vector<float>& logits, int draws) {
  Sampler sampler = Sampler::make(options).value();
  std::vector<int> counts(logits.size());
  for (int i = 0; i < draws; ++i) {
    ++counts[size_t(sampler.sample(logits).value())];
  }
  return counts;
}

std::set<size_t> drawn(const SamplerOptions& options, const std::vector<float>& logits) {
  const std::vector<int> counts = draw_many(options, logits, 20000);
  std::set<size_t> ids;
  for (size_t id = 0; id < counts.size(); ++id) {
    if (counts[id] > 0) {
      ids.insert(id);
    }
  }
  return ids;
}

// Returns Pearson's statistic of the counts against softmax(logits / temperature) over `allowed`.
double chi_square(const std::vector<int>& counts, const std::vector<float>& logits, double temperature,
                  const std::set<size_t>& allowed) {
  double sum = 0;
  double draws = 0;
  for (const size_t id : allowed) {
    sum += std::exp(double(logits[id]) / temperature);
    draws += counts[id];
  }
  double statistic = 0;
  for (const size_t id : allowed) {
    const double expected = draws * std::exp(double(logits[id]) / temperature) / sum;
    statistic += (counts[id] - expected) * (counts[id] - expected) / expected;
  }
  return statistic;
}

// Returns logits of these probabilities.
std::vector<float> logs(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double probability : probabilities) {
    logits.push_back(float(std::log(probability)) + 5);
  }
  return logits;
}

TEST(Sampler, AtTemperatureZeroTakesTheLikeliestAndOfEqualsTheFirst) {
  SamplerOptions options = unlimited(1);
  options.temperature = 0;
  Sampler sampler = Sampler::make(options).value();
  EXPECT_EQ(sampler.sample(std::vector<float>{-3, 2, 1, 2}).value(), 1);
  EXPECT_EQ(sampler.sample(std::vector<float>{-kInfinity, -kInfinity, -7}).value(), 2);
  EXPECT_EQ(sampler.sample(std::vector<float>{0}).value(), 0);
}

TEST(Sampler, WithOneCandidateIsGreedy) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const std::vector<float> logits = random_logits(300, seed);
    const TokenId best = TokenId(std::max_element(logits.begin(), logits.end()) - logits.begin());
    SamplerOptions options = unlimited(seed);
    options.top_k = 1;
    EXPECT_EQ(Sampler::make(options).value().sample(logits).value(), best);
    options = unlimited(seed);
    options.min_p = 1;
    EXPECT_EQ(Sampler::make(options).value().sample(logits).value(), best);
    options = unlimited(seed);
    options.top_p = 1e-9;
    EXPECT_EQ(Sampler::make(options).value().sample(logits).value(), best);
  }
}

TEST(Sampler, TendsToGreedyAsTheTemperatureFalls) {
  const std::vector<float> logits = {1, 3, 2, -1};
  for (const double temperature : {1e-2, 1e-10, 1e-300}) {
    SamplerOptions options = unlimited(3);
    options.temperature = temperature;
    EXPECT_EQ(draw_many(options, logits, 1000)[1], 1000) << temperature;
  }
}

TEST(Sampler, TendsToUniformAsTheTemperatureRises) {
  SamplerOptions options = unlimited(3);
  options.temperature = 1e12;
  const std::vector<float> level(8, 0);
  const std::vector<int> counts = draw_many(options, random_logits(8, 4), 80000);
  EXPECT_LT(chi_square(counts, level, 1, {0, 1, 2, 3, 4, 5, 6, 7}), 30);
}

// With 11 degrees of freedom, the statistic of a correct sampler exceeds 40 once in 30,000 runs.
TEST(Sampler, DrawsFromTheSoftmaxOfTheTemperedLogits) {
  std::set<size_t> all;
  for (size_t id = 0; id < 12; ++id) {
    all.insert(id);
  }
  for (const double temperature : {0.5, 1.0, 2.0}) {
    for (uint64_t seed = 0; seed < 5; ++seed) {
      const std::vector<float> logits = random_logits(12, 100 + seed);
      SamplerOptions options = unlimited(seed);
      options.temperature = temperature;
      const std::vector<int> counts = draw_many(options, logits, 100000);
      EXPECT_LT(chi_square(counts, logits, temperature, all), 40) << temperature << " " << seed;
      EXPECT_GT(chi_square(counts, logits, temperature * 1.1, all), 40) << "the bound distinguishes nothing";
    }
  }
}

TEST(Sampler, KeepsTheDistributionWithinItsLimits) {
  const std::vector<float> logits = random_logits(200, 5);
  std::vector<size_t> order(logits.size());
  for (size_t id = 0; id < order.size(); ++id) {
    order[id] = id;
  }
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return logits[a] > logits[b]; });
  SamplerOptions options = unlimited(9);
  options.top_k = 12;
  options.temperature = 0.7;
  const std::set<size_t> allowed(order.begin(), order.begin() + 12);
  EXPECT_EQ(drawn(options, logits), allowed);
  EXPECT_LT(chi_square(draw_many(options, logits, 100000), logits, 0.7, allowed), 40);
}

TEST(Sampler, TopPKeepsTheFewestThatReachIt) {
  const std::vector<float> logits = logs({0.1, 0.4, 0.05, 0.3, 0.15});
  SamplerOptions options = unlimited(2);
  options.top_p = 0.69;
  EXPECT_EQ(drawn(options, logits), (std::set<size_t>{1, 3}));
  options.top_p = 0.71;
  EXPECT_EQ(drawn(options, logits), (std::set<size_t>{1, 3, 4}));
  options.top_p = 0.39;
  EXPECT_EQ(drawn(options, logits), (std::set<size_t>{1}));
}

TEST(Sampler, TopPCountsTheProbabilitiesOfWhatTopKLeft) {
  const std::vector<float> logits = logs({0.4, 0.3, 0.2, 0.1});
  SamplerOptions options = unlimited(2);
  options.top_p = 0.5;
  EXPECT_EQ(drawn(options, logits), (std::set<size_t>{0, 1}));
  options.top_k = 2;  // the first is 4/7 of these
  EXPECT_EQ(drawn(options, logits), (std::set<size_t>{0}));
}

TEST(Sampler, LimitsBeforeItTempers) {
  const std::vector<float> logits = logs({0.6, 0.3, 0.1});
  SamplerOptions options = unlimited(2);
  options.temperature = 100;
  options.top_p = 0.85;
  EXPECT_EQ(drawn(options, logits), (std::set<size_t>{0, 1}));
  options.top_p = 1;
  options.min_p = 0.4;
  EXPECT_EQ(drawn(options, logits), (std::set<size_t>{0, 1}));
}

TEST(Sampler, MinPKeepsWhatIsLikelyBesideTheLikeliest) {
  const std::vector<float> logits = logs({0.1, 0.5, 0.24, 0.16});
  SamplerOptions options = unlimited(2);
  options.min_p = 0.33;
  EXPECT_EQ(drawn(options, logits), (std::set<size_t>{1, 2}));
  options.min_p = 0.31;
  EXPECT_EQ(drawn(options, logits), (std::set<size_t>{1, 2, 3}));
}

TEST(Sampler, PrefersTheLowestIdsAmongEquals) {
  const std::vector<float> logits(100, 1.5F);
  SamplerOptions options = unlimited(2);
  options.top_k = 3;
  EXPECT_EQ(drawn(options, logits), (std::set<size_t>{0, 1, 2}));
  options = unlimited(2);
  options.top_p = 0.025;
  EXPECT_EQ(drawn(options, logits), (std::set<size_t>{0, 1, 2}));
}

TEST(Sampler, NeverDrawsAForbiddenToken) {
  const std::vector<float> logits = {0, -kInfinity, 1, -kInfinity};
  SamplerOptions options = unlimited(4);
  EXPECT_EQ(drawn(options, logits), (std::set<size_t>{0, 2}));
  options.top_k = 3;
  options.top_p = 0.999;
  EXPECT_EQ(drawn(options, logits), (std::set<size_t>{0, 2}));
}

TEST(Sampler, DoesNotOverflowOnLargeLogits) {
  const float large = std::numeric_limits<float>::max();
  EXPECT_EQ(drawn(unlimited(4), {large, -large, large}), (std::set<size_t>{0, 2}));
  SamplerOptions options = unlimited(4);
  options.temperature = 1e-300;
  EXPECT_EQ(drawn(options, {-large, large}), (std::set<size_t>{1}));
}

TEST(Sampler, RepeatsItselfWithTheSameSeedOnly) {
  const std::vector<float> logits = random_logits(1000, 6);
  const auto draws = [&](uint64_t seed) {
    SamplerOptions options;
    options.seed = seed;
    Sampler sampler = Sampler::make(options).value();
    std::vector<TokenId> ids;
    for (int i = 0; i < 64; ++i) {
      ids.push_back(sampler.sample(logits).value());
    }
    return ids;
  };
  EXPECT_EQ(draws(1), draws(1));
  EXPECT_NE(draws(1), draws(2));
}

TEST(Sampler, RefusesOptionsThatMakeNoSense) {
  const double infinity = std::numeric_limits<double>::infinity();
  const auto refused = [](SamplerOptions options, const std::string& word) {
    const Result<Sampler> made = Sampler::make(options);
    ASSERT_FALSE(made) << word;
    EXPECT_EQ(made.error().kind, ErrorKind::usage);
    EXPECT_NE(made.error().message.find(word), std::string::npos) << made.error().message;
  };
  for (const double value : {-0.1, kNan, infinity}) {
    refused({.temperature = value}, "temperature");
  }
  for (const double value : {-0.1, 0.0, 1.01, kNan, infinity}) {
    refused({.top_p = value}, "top-p");
  }
  for (const double value : {-0.1, 1.01, kNan, infinity}) {
    refused({.min_p = value}, "min-p");
  }
}

TEST(Sampler, RefusesLogitsThatAreNoNumbers) {
  for (const double temperature : {0.0, 1.0}) {
    SamplerOptions options = unlimited(1);
    options.temperature = temperature;
    Sampler sampler = Sampler::make(options).value();
    const Result<TokenId> nan = sampler.sample(std::vector<float>{0, 1, float(kNan)});
    ASSERT_FALSE(nan);
    EXPECT_NE(nan.error().message.find("token 2"), std::string::npos) << nan.error().message;
    EXPECT_FALSE(sampler.sample(std::vector<float>{float(kNan), 1}));
    EXPECT_FALSE(sampler.sample(std::vector<float>{kInfinity, 1}));
    EXPECT_FALSE(sampler.sample(std::vector<float>{-kInfinity, -kInfinity}));
    EXPECT_TRUE(sampler.sample(std::vector<float>{-kInfinity, 1}));
  }
}

TEST(LogProbability, IsThatOfTheSoftmax) {
  const std::vector<double> probabilities = {0.1, 0.4, 0.05, 0.3, 0.15};
  const std::vector<float> logits = logs(probabilities);
  for (size_t id = 0; id < logits.size(); ++id) {
    EXPECT_NEAR(log_probability(logits, TokenId(id)), std::log(probabilities[id]), 1e-6);
  }
  const std::vector<float> many = random_logits(50000, 8);
  const double first = log_probability(many, 0);
  double sum = 0;
  for (const float logit : many) {
    sum += std::exp(double(logit) - double(many[0]) + first);
  }
  EXPECT_NEAR(sum, 1, 1e-12);
}

TEST(LogProbability, NeitherOverflowsNorRoundsToZero) {
  EXPECT_DOUBLE_EQ(log_probability(std::vector<float>{3e38F, 3e38F}, 1), -std::log(2.0));
  EXPECT_DOUBLE_EQ(log_probability(std::vector<float>{1000, 0}, 1), -1000);
  EXPECT_EQ(log_probability(std::vector<float>{0, -kInfinity}, 1), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(log_probability(std::vector<float>{0, float(kNan)}, 0)));
  EXPECT_TRUE(std::isnan(log_probability(std::vector<float>{float(kNan), 0}, 1)));
}

}  // namespace
}  // namespace spillway
