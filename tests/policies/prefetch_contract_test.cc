#include "tests/policies/lab.h"

// The promises of every listed prefetcher, whatever its idea. A new prefetcher is tested by being listed.
namespace spillway {
namespace {

class EveryPrefetcher : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Listed, EveryPrefetcher, testing::ValuesIn(names_of(prefetchers())), test_name);

// Makes prompts of many tokens with and without their choices, single tokens, changes of sequence, and
// look-ahead from no layer to all.
std::vector<Step> conversation(const Lab& lab, size_t passes, Rng& rng) {
  const ModelGeometry& geometry = lab.geometry();
  std::vector<Step> steps;
  std::vector<bool> seen(geometry.experts_per_layer, false);
  uint32_t sequence = 0;
  for (uint64_t pass = 0; pass < passes; ++pass) {
    const bool prefill = pass == 0 || rng.below(10) == 0;
    const bool tells_choices = rng.below(2) == 0;
    const uint32_t tokens = prefill ? uint32_t(1 + rng.below(20)) : 1;
    sequence += prefill && rng.below(2) == 0 ? 1 : 0;
    for (uint32_t layer = 0; layer < geometry.layers; ++layer) {
      if (geometry.expert_bytes[layer] == 0) {
        continue;
      }
      Step step;
      step.index = steps.size();
      step.pass = pass;
      step.layer = layer;
      step.sequence = sequence;
      step.tokens = tokens;
      step.phase = prefill ? Phase::prefill : Phase::decode;
      for (uint32_t token = 0; token < tokens; ++token) {
        const auto first = uint16_t(rng.below(geometry.experts_per_layer));
        step.choices.push_back(first);
        step.choices.push_back(uint16_t((first + 1 + rng.below(2)) % geometry.experts_per_layer));
      }
      collect_distinct(geometry, seen, step);
      if (!tells_choices) {
        step.choices.clear();
      }
      for (uint64_t i = rng.below(8); i > 0; --i) {
        step.lookahead.push_back(ExpertId{uint32_t(rng.below(geometry.expert_count()))});
      }
      steps.push_back(step);
    }
  }
  return steps;
}

TEST_P(EveryPrefetcher, proposes_known_experts_with_a_confidence_between_0_and_1) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Rng rng(seed);
    Lab lab(uint32_t(1 + rng.below(6)), uint32_t(4 + rng.below(12)), 2);
    if (lab.geometry().layers > 2) {
      lab.source.geometry.expert_bytes[rng.below(lab.geometry().layers)] = 0;  // a dense layer
    }
    const std::vector<Step> steps = conversation(lab, 100, rng);
    lab.foretell(steps);
    const auto prefetcher = lab.prefetcher(GetParam());
    for (const Step& step : steps) {
      prefetcher->observe(step);
      HintList hints;
      prefetcher->propose(step, hints);
      for (const Hint& hint : hints) {
        ASSERT_LT(index_of(hint.expert), lab.geometry().expert_count());
        ASSERT_GE(hint.confidence, 0.0F);
        ASSERT_LE(hint.confidence, 1.0F);
      }
    }
  }
}

TEST_P(EveryPrefetcher, appends_to_what_is_in_the_list_already) {
  Rng rng(5);
  Lab lab(3, 8, 2);
  const std::vector<Step> steps = conversation(lab, 20, rng);
  lab.foretell(steps);
  const auto prefetcher = lab.prefetcher(GetParam());
  HintList hints = {{ExpertId{7}, 0.25F}};
  for (const Step& step : steps) {
    const size_t before = hints.size();
    prefetcher->observe(step);
    prefetcher->propose(step, hints);
    ASSERT_GE(hints.size(), before);
  }
  EXPECT_EQ(hints[0].expert, ExpertId{7});
  EXPECT_EQ(hints[0].confidence, 0.25F);
}

TEST_P(EveryPrefetcher, proposes_the_same_after_the_same_steps) {
  Rng rng(9);
  Lab lab(4, 12, 2);
  const std::vector<Step> steps = conversation(lab, 100, rng);
  lab.foretell(steps);
  const auto one = lab.prefetcher(GetParam());
  const auto two = lab.prefetcher(GetParam());
  HintList hints_of_one;
  HintList hints_of_two;
  for (const Step& step : steps) {
    one->observe(step);
    one->propose(step, hints_of_one);
    two->observe(step);
    two->propose(step, hints_of_two);
  }
  const auto same = [](const Hint& a, const Hint& b) {
    return a.expert == b.expert && a.confidence == b.confidence;
  };
  EXPECT_TRUE(
      std::equal(hints_of_one.begin(), hints_of_one.end(), hints_of_two.begin(), hints_of_two.end(), same));
  EXPECT_EQ(hints_of_one.empty(), prefetchers().known(GetParam()).traits.does_nothing);
}

TEST_P(EveryPrefetcher, is_refused_without_the_future_if_it_says_that_it_knows_the_future) {
  const Lab lab(4, 12, 2);
  PolicyEnv live = lab.env(0);
  live.future = nullptr;
  const PrefetchChoice chosen = prefetchers().known(GetParam());
  EXPECT_EQ(chosen.make(live).has_value(), !chosen.traits.knows_future);
}

TEST(PrefetchList, has_each_name_once_and_every_file_of_the_folder) {
  expect_a_file_for_each(names_of(prefetchers()), "policies/prefetch");
}

}  // namespace
}  // namespace spillway
