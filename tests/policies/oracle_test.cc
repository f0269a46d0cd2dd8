#include "tests/policies/lab.h"
#include "tests/support/make_plugin.h"

// The oracle is as good as requested, and no better.
namespace spillway {
namespace {

constexpr uint32_t kTopK = 4;

struct Score {
  double proposed = 0;
  double right = 0;
  double used = 0;
  std::vector<HintList> by_step;

  double precision() const { return right / proposed; }
  double recall() const { return right / used; }
};

bool uses(const Step& step, ExpertId id) {
  return std::find(step.experts.begin(), step.experts.end(), id) != step.experts.end();
}

// Counts the prefetcher's proposals for the steps that come `ahead` layers later.
Score score(Lab& lab, const std::string& prefetcher, uint32_t ahead, const std::vector<Step>& steps) {
  lab.foretell(steps);
  const auto oracle = lab.prefetcher(prefetcher);
  Score score;
  for (size_t i = 0; i < steps.size(); ++i) {
    HintList& hints = score.by_step.emplace_back();
    oracle->observe(steps[i]);
    oracle->propose(steps[i], hints);
    if (i + ahead >= steps.size()) {
      EXPECT_TRUE(hints.empty()) << "the step does not exist";
      continue;
    }
    score.used += double(steps[i + ahead].experts.size());
    score.proposed += double(hints.size());
    for (const Hint& hint : hints) {
      EXPECT_EQ(lab.geometry().layer_of(hint.expert), steps[i + ahead].layer);
      score.right += uses(steps[i + ahead], hint.expert) ? 1 : 0;
    }
  }
  return score;
}

TEST(Oracle, ForetellsEverythingWhenItIsPerfect) {
  for (const uint32_t ahead : {1U, 2U, 5U}) {
    SCOPED_TRACE(ahead);
    Lab lab(5, 16, kTopK);
    Rng rng(ahead);
    const std::vector<Step> steps = random_steps(lab, 200, rng);
    const Score perfect = score(lab, "oracle:ahead=" + std::to_string(ahead), ahead, steps);
    EXPECT_EQ(perfect.right, perfect.proposed);
    EXPECT_EQ(perfect.right, perfect.used);
    EXPECT_EQ(perfect.by_step[0].front().confidence, 1.0F);
  }
}

TEST(Oracle, IsAsPreciseAndAsCompleteAsItIsTold) {
  Lab lab(3, 64, kTopK);
  Rng rng(3);
  const std::vector<Step> steps = random_steps(lab, 6000, rng);
  for (const double precision : {0.25, 0.6, 0.9, 1.0}) {
    for (const double recall : {0.3, 0.75, 1.0}) {
      SCOPED_TRACE(testing::Message() << precision << " and " << recall);
      const Score found =
          score(lab, fmt::format("oracle:precision={},recall={},ahead=2", precision, recall), 2, steps);
      EXPECT_NEAR(found.precision(), precision, 0.01);
      EXPECT_NEAR(found.recall(), recall, 0.01);
      EXPECT_EQ(found.by_step[0].empty() ? float(precision) : found.by_step[0][0].confidence,
                float(precision));
    }
  }
}

TEST(Oracle, ProposesNoExpertTwiceAndKeepsNoOrderThatWouldTellRightFromWrong) {
  Lab lab(2, 32, kTopK);
  Rng rng(4);
  const std::vector<Step> steps = random_steps(lab, 4000, rng);
  const Score found = score(lab, "oracle:precision=0.5", 1, steps);
  double right_at_front = 0;
  double fronts = 0;
  for (size_t i = 0; i + 1 < steps.size(); ++i) {
    std::set<uint32_t> distinct;
    for (const Hint& hint : found.by_step[i]) {
      EXPECT_TRUE(distinct.insert(index_of(hint.expert)).second);
    }
    fronts += 1;
    right_at_front += uses(steps[i + 1], found.by_step[i].front().expert) ? 1 : 0;
  }
  EXPECT_NEAR(right_at_front / fronts, 0.5, 0.03);
}

// With 8 experts and 4 in use, only 4 can be wrong: at least half of the proposals are right.
TEST(Oracle, ProposesWhatThereIsWhereItCannotBeWrongEnough) {
  Lab lab(2, 8, kTopK);
  Rng rng(5);
  const Score found = score(lab, "oracle:precision=0.01", 1, random_steps(lab, 200, rng));
  EXPECT_EQ(found.precision(), 0.5);
  EXPECT_EQ(found.recall(), 1.0);
}

TEST(Oracle, ErrsDifferentlyWithAnotherSeed) {
  Lab lab(2, 32, kTopK);
  Rng rng(6);
  const std::vector<Step> steps = random_steps(lab, 50, rng);
  lab.foretell(steps);
  const auto hints_with = [&](uint64_t seed) {
    auto made = make_plugin(prefetchers(), "oracle:precision=0.5", lab.env(0, seed));
    HintList hints;
    for (const Step& step : steps) {
      (*made)->observe(step);
      (*made)->propose(step, hints);
    }
    std::vector<uint32_t> experts;
    for (const Hint& hint : hints) {
      experts.push_back(index_of(hint.expert));
    }
    return experts;
  };
  EXPECT_EQ(hints_with(1), hints_with(1));
  EXPECT_NE(hints_with(1), hints_with(2));
}

TEST(Oracle, KeepsSilentAboutAPrompt) {
  Lab lab(2, 16, kTopK);
  Rng rng(7);
  std::vector<Step> steps = random_steps(lab, 8, rng);
  for (size_t i = 4; i < 6; ++i) {
    steps[i].phase = Phase::prefill;
    steps[i].tokens = 3;
  }
  const Score found = score(lab, "oracle", 1, steps);
  EXPECT_TRUE(found.by_step[3].empty());
  EXPECT_TRUE(found.by_step[4].empty());
  EXPECT_EQ(found.by_step[5].size(), kTopK);
}

TEST(Oracle, IsRefusedWhereNobodyKnowsTheFuture) {
  const Lab lab(4, 8, 2);
  const auto refusal = [&](const std::string& text, PolicyEnv env) {
    const auto made = make_plugin(prefetchers(), text, env);
    return made ? "" : made.error().message;
  };
  PolicyEnv live = lab.env(0);
  live.future = nullptr;
  EXPECT_NE(refusal("oracle", live).find("use a trace instead of a running model"), std::string::npos);
  EXPECT_NE(refusal("oracle:precision=0", lab.env(0)), "");
  EXPECT_NE(refusal("oracle:precision=1.5", lab.env(0)), "");
  EXPECT_NE(refusal("oracle:recall=1.5", lab.env(0)), "");
  EXPECT_NE(refusal("oracle:ahead=0", lab.env(0)), "");
  EXPECT_NE(refusal("oracle:ahead=5", lab.env(0)), "");
  EXPECT_EQ(refusal("oracle:ahead=4", lab.env(0)), "");
}

}  // namespace
}  // namespace spillway
