#include "tests/policies/lab.h"
#include "tests/support/make_plugin.h"

namespace spillway {
namespace {

using Numbers = std::vector<uint32_t>;

// Returns the proposed experts as numbers within `layer`; fails on an expert of another layer.
Numbers numbers(const Lab& lab, const HintList& hints, uint32_t layer) {
  Numbers numbers;
  for (const Hint& hint : hints) {
    EXPECT_EQ(lab.geometry().layer_of(hint.expert), layer);
    numbers.push_back(lab.geometry().expert_of(hint.expert));
  }
  return numbers;
}

HintList hints_after(Prefetcher& prefetcher, const Step& step) {
  HintList hints;
  prefetcher.observe(step);
  prefetcher.propose(step, hints);
  return hints;
}

// Makes a prompt's step from the choices of its tokens, two each.
Step prompt(const Lab& lab, uint32_t layer, std::vector<uint16_t> choices) {
  Step step;
  step.index = layer;
  step.layer = layer;
  step.phase = Phase::prefill;
  step.tokens = uint32_t(choices.size() / 2);
  step.choices = std::move(choices);
  std::vector<bool> seen(lab.geometry().experts_per_layer, false);
  collect_distinct(lab.geometry(), seen, step);
  return step;
}

std::string refusal(const Lab& lab, const std::string& text) {
  const auto made = make_plugin(prefetchers(), text, lab.env(0));
  return made ? "" : made.error().message;
}

TEST(None, proposes_nothing) {
  const Lab lab(2, 8, 2);
  const auto none = lab.prefetcher("none");
  for (uint64_t i = 0; i < 10; ++i) {
    EXPECT_TRUE(hints_after(*none, lab.step(i, {1, 2})).empty());
  }
}

TEST(LastToken, proposes_what_the_token_before_used_in_the_next_layer) {
  const Lab lab(3, 8, 2);
  const auto last = lab.prefetcher("last-token");
  EXPECT_TRUE(hints_after(*last, lab.step(0, {0, 1})).empty());
  EXPECT_TRUE(hints_after(*last, lab.step(1, {3, 2})).empty());
  EXPECT_EQ(numbers(lab, hints_after(*last, lab.step(2, {4, 5})), 0), (Numbers{0, 1}));
  EXPECT_EQ(numbers(lab, hints_after(*last, lab.step(3, {6, 7})), 1), (Numbers{3, 2}));
  EXPECT_EQ(numbers(lab, hints_after(*last, lab.step(4, {6, 7})), 2), (Numbers{4, 5}));
  EXPECT_EQ(numbers(lab, hints_after(*last, lab.step(5, {6, 7})), 0), (Numbers{6, 7}));
}

TEST(LastToken, looks_several_layers_ahead_the_nearest_first) {
  const Lab lab(3, 8, 2);
  const auto last = lab.prefetcher("last-token:ahead=3");
  for (uint64_t i = 0; i < 3; ++i) {
    last->observe(lab.step(i, {uint32_t(i), uint32_t(i + 3)}));
  }
  const HintList hints = hints_after(*last, lab.step(3, {6, 7}));
  ASSERT_EQ(hints.size(), 6U);
  const ModelGeometry& geometry = lab.geometry();
  const std::vector<ExpertId> expected = {geometry.id(1, 1), geometry.id(1, 4), geometry.id(2, 2),
                                          geometry.id(2, 5), geometry.id(0, 6), geometry.id(0, 7)};
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(hints[i].expert, expected[i]);
  }
}

TEST(LastToken, follows_the_last_token_of_a_prompt) {
  const Lab lab(2, 8, 2);
  const auto last = lab.prefetcher("last-token");
  last->observe(prompt(lab, 0, {0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(numbers(lab, hints_after(*last, prompt(lab, 1, {1, 0})), 0), (Numbers{4, 5}));
}

TEST(LastToken, knows_nothing_of_a_new_sequence_nor_of_a_prompt_without_choices) {
  const Lab lab(2, 8, 2);
  const auto last = lab.prefetcher("last-token");
  last->observe(lab.step(0, {0, 1}));
  last->observe(lab.step(1, {0, 1}));
  Step other = lab.step(2, {4, 5});
  other.sequence = 1;
  EXPECT_TRUE(hints_after(*last, other).empty());
  Step blurred = prompt(lab, 0, {0, 1, 2, 3});
  blurred.sequence = 1;
  blurred.choices.clear();
  last->observe(blurred);
  Step next = lab.step(3, {4, 5});
  next.sequence = 1;
  EXPECT_TRUE(hints_after(*last, next).empty());
}

TEST(LastToken, skips_layers_without_routed_experts) {
  Lab lab(4, 8, 2);
  lab.source.geometry.expert_bytes = {0, 1, 0, 1};
  const auto last = lab.prefetcher("last-token");
  last->observe(lab.step(1, {0, 1}));
  last->observe(lab.step(3, {2, 3}));
  EXPECT_EQ(numbers(lab, hints_after(*last, lab.step(5, {4, 5})), 3), (Numbers{2, 3}));
  EXPECT_EQ(numbers(lab, hints_after(*last, lab.step(7, {4, 5})), 1), (Numbers{4, 5}));
}

TEST(LastToken, refuses_to_look_nowhere_or_beyond_one_token) {
  Lab lab(3, 8, 2);
  lab.source.geometry.expert_bytes[0] = 0;
  EXPECT_EQ(refusal(lab, "last-token:ahead=2"), "");
  EXPECT_NE(refusal(lab, "last-token:ahead=0"), "");
  EXPECT_NE(refusal(lab, "last-token:ahead=3").find("2 layers"), std::string::npos);
  EXPECT_NE(refusal(lab, "popular:ahead=0"), "");
}

// The first choice stays for ever, the second is new for every token.
TEST(LastToken, is_as_confident_of_each_rank_as_it_was_right) {
  const Lab lab(2, 16, 2);
  const auto last = lab.prefetcher("last-token");
  const auto picky = lab.prefetcher("last-token:min_confidence=0.5");
  HintList hints = hints_after(*last, lab.step(0, {0, 1}));
  picky->observe(lab.step(0, {0, 1}));
  hints = hints_after(*last, lab.step(1, {0, 1}));
  ASSERT_EQ(hints.size(), 2U);
  EXPECT_FLOAT_EQ(hints[0].confidence, 2.0F / 16.0F);  // the hits of blind choice
  HintList picked;
  for (uint64_t i = 2; i < 400; ++i) {
    const Step step = lab.step(i, {0, uint32_t(1 + i / 2 % 15)});
    hints = hints_after(*last, step);
    picked = hints_after(*picky, step);
  }
  ASSERT_EQ(hints.size(), 2U);
  EXPECT_GT(hints[0].confidence, 0.95F);
  EXPECT_LT(hints[1].confidence, 0.05F);
  ASSERT_EQ(picked.size(), 1U);
  EXPECT_EQ(picked[0].expert, hints[0].expert);
}

TEST(Popular, proposes_the_most_frequent_with_their_frequency) {
  const Lab lab(1, 8, 2);
  const auto popular = lab.prefetcher("popular:count=3");
  HintList hints;
  for (uint64_t i = 0; i < 100; ++i) {  // expert 5 always, 2 three times in four, 7 once in four
    hints = hints_after(*popular, lab.step(i, {5, i % 4 == 0 ? 7U : 2U}));
  }
  EXPECT_EQ(numbers(lab, hints, 0), (Numbers{5, 2, 7}));
  EXPECT_NEAR(hints[0].confidence, 1.0, 1e-4);
  EXPECT_NEAR(hints[1].confidence, 0.75, 1e-4);
  EXPECT_NEAR(hints[2].confidence, 0.25, 1e-4);
}

TEST(Popular, proposes_as_many_as_a_token_uses_and_none_below_the_confidence_asked_for) {
  const Lab lab(1, 8, 2);
  const auto popular = lab.prefetcher("popular");
  const auto picky = lab.prefetcher("popular:count=8,min_confidence=0.3");
  HintList hints;
  HintList picked;
  for (uint64_t i = 0; i < 99; ++i) {
    const Step step = lab.step(i, {5, uint32_t(i % 3)});
    hints = hints_after(*popular, step);
    picked = hints_after(*picky, step);
  }
  EXPECT_EQ(hints.size(), 2U);
  EXPECT_EQ(picked.size(), 4U);
  picked = hints_after(*picky, lab.step(99, {6, 7}));
  EXPECT_EQ(picked.size(), 4U);
}

TEST(Popular, counts_every_token_of_a_prompt_once) {
  const Lab lab(1, 8, 2);
  const auto popular = lab.prefetcher("popular:count=8");
  const Step step = prompt(lab, 0, {0, 1, 0, 2, 0, 1, 0, 3, 0, 1, 0, 2, 0, 1, 0, 2});
  const HintList hints = hints_after(*popular, step);
  EXPECT_EQ(numbers(lab, hints, 0), (Numbers{0, 1, 2, 3}));
  EXPECT_NEAR(hints[0].confidence, 8.0 / 8, 1e-6);
  EXPECT_NEAR(hints[1].confidence, 4.0 / 8, 1e-6);
  EXPECT_NEAR(hints[2].confidence, 3.0 / 8, 1e-6);
  EXPECT_NEAR(hints[3].confidence, 1.0 / 8, 1e-6);
}

TEST(Popular, forgets_what_lies_behind_its_window) {
  const Lab lab(1, 8, 1);
  const auto popular = lab.prefetcher("popular:window=10");
  uint64_t index = 0;
  for (; index < 1000; ++index) {
    popular->observe(lab.step(index, {1}));
  }
  HintList hints;
  for (; index < 1010; ++index) {
    hints = hints_after(*popular, lab.step(index, {2}));
  }
  EXPECT_EQ(numbers(lab, hints, 0), (Numbers{2}));
  EXPECT_NE(refusal(lab, "popular:window=0"), "");
}

// The experts of layer 1 follow only from those of layer 0. The last layer of a prompt often has
// only its last token.
TEST(Markov, follows_the_last_token_into_a_layer_that_has_no_other) {
  const Lab lab(2, 8, 2);
  const auto markov = lab.prefetcher("markov");
  markov->observe(prompt(lab, 0, {0, 1, 2, 3}));
  markov->observe(prompt(lab, 1, {4, 5}));
  EXPECT_TRUE(hints_after(*markov, lab.step(2, {0, 1})).empty());
  EXPECT_EQ(numbers(lab, hints_after(*markov, lab.step(4, {2, 3})), 1), (Numbers{4, 5}));
}

TEST(Markov, learns_which_experts_follow_which_and_that_it_is_right) {
  const Lab lab(2, 16, 2);
  const auto markov = lab.prefetcher("markov");
  const auto follower = [](uint32_t expert) { return (expert * 5 + 3) % 16; };
  Rng rng(11);
  size_t right = 0;
  size_t proposed = 0;
  double confidence = 0;
  for (uint64_t token = 0; token < 400; ++token) {
    const uint32_t first = uint32_t(rng.below(16));
    const uint32_t second = (first + 1 + uint32_t(rng.below(15))) % 16;
    const HintList hints = hints_after(*markov, lab.step(2 * token, {first, second}));
    markov->observe(lab.step(2 * token + 1, {follower(first), follower(second)}));
    if (token >= 200) {
      for (const uint32_t number : numbers(lab, hints, 1)) {
        right += number == follower(first) || number == follower(second) ? 1 : 0;
        ++proposed;
      }
      confidence += hints[0].confidence;
    }
  }
  EXPECT_EQ(proposed, 400U);
  EXPECT_EQ(right, proposed);
  // Each of the two experts vouches only for its own follower, half of the mean; but that was always enough.
  EXPECT_GT(confidence / 200, 0.95);
}

TEST(Markov, is_sure_of_what_always_follows_and_not_after_a_single_time) {
  const Lab lab(2, 8, 1);
  const auto markov = lab.prefetcher("markov");
  markov->observe(lab.step(0, {1}));
  markov->observe(lab.step(1, {6}));
  HintList hints = hints_after(*markov, lab.step(2, {1}));
  ASSERT_EQ(numbers(lab, hints, 1), (Numbers{6}));
  EXPECT_NEAR(hints[0].confidence, 0.5, 0.04);
  for (uint64_t i = 3; i < 101; ++i) {
    hints = hints_after(*markov, lab.step(i, {i % 2 == 0 ? 1U : 6U}));
  }
  ASSERT_EQ(numbers(lab, hints, 1), (Numbers{6}));
  EXPECT_GT(hints[0].confidence, 0.95F);
  hints = hints_after(*markov, lab.step(101, {6}));
  EXPECT_EQ(numbers(lab, hints, 0), (Numbers{1}));  // from the last layer to the next token's first
}

TEST(Markov, learns_from_every_token_of_a_prompt) {
  const Lab lab(2, 8, 2);
  const auto markov = lab.prefetcher("markov:count=4");
  markov->observe(prompt(lab, 0, {0, 1, 0, 2}));
  markov->observe(prompt(lab, 1, {4, 5, 6, 7}));
  const HintList hints = hints_after(*markov, lab.step(2, {1, 3}));
  EXPECT_EQ(numbers(lab, hints, 1), (Numbers{4, 5}));
}

TEST(Markov, does_not_learn_across_sequences_or_missing_layers) {
  const Lab lab(3, 8, 1);
  const auto markov = lab.prefetcher("markov");
  markov->observe(lab.step(0, {1}));
  markov->observe(lab.step(2, {2}));  // layer 1 is missing
  Step other = lab.step(3, {3});
  other.sequence = 1;
  markov->observe(other);  // follows layer 2, of another sequence
  EXPECT_TRUE(hints_after(*markov, lab.step(6, {1})).empty());
  EXPECT_TRUE(hints_after(*markov, lab.step(8, {2})).empty());
}

TEST(Markov, unlearns_when_the_window_has_passed) {
  const Lab lab(2, 8, 1);
  const auto markov = lab.prefetcher("markov:window=16");
  HintList hints;
  uint64_t index = 0;
  for (; index < 2000; ++index) {
    hints = hints_after(*markov, lab.step(index, {index % 2 == 0 ? 1U : 6U}));
  }
  for (; index < 2041; ++index) {
    hints = hints_after(*markov, lab.step(index, {index % 2 == 0 ? 1U : 7U}));
  }
  EXPECT_EQ(numbers(lab, hints, 1), (Numbers{7}));
  EXPECT_NE(refusal(lab, "markov:window=1"), "");
}

// Layer 1 follows layer 0 in one of four cases and is arbitrary in the others.
TEST(Markov, leaves_out_what_it_is_not_confident_of) {
  const Lab lab(2, 16, 1);
  const auto markov = lab.prefetcher("markov");
  const auto picky = lab.prefetcher("markov:min_confidence=0.6");
  Rng rng(13);
  double said = 0;
  double right = 0;
  size_t hints_of_picky = 0;
  for (uint64_t token = 0; token < 4000; ++token) {
    const uint32_t first = uint32_t(rng.below(16));
    const uint32_t second = rng.below(4) == 0 ? first : uint32_t(rng.below(16));
    const HintList hints = hints_after(*markov, lab.step(2 * token, {first}));
    const HintList picked = hints_after(*picky, lab.step(2 * token, {first}));
    markov->observe(lab.step(2 * token + 1, {second}));
    picky->observe(lab.step(2 * token + 1, {second}));
    if (token >= 1000) {
      said += hints[0].confidence;
      right += numbers(lab, hints, 1)[0] == second ? 1 : 0;
      hints_of_picky += picked.size();
    }
  }
  EXPECT_NEAR(said / 3000, right / 3000, 0.02);
  EXPECT_NEAR(right / 3000, 0.25 + 0.75 / 16, 0.04);
  EXPECT_EQ(hints_of_picky, 0U);
}

TEST(Markov, refuses_a_table_that_would_not_fit) {
  const Lab lab(4, 8192, 1);
  EXPECT_NE(refusal(lab, "markov").find("537 MB"), std::string::npos);
}

TEST(Recorded, passes_the_look_ahead_column_on_in_its_order) {
  const Lab lab(3, 8, 2);
  const auto recorded = lab.prefetcher("recorded");
  HintList hints;
  for (uint64_t i = 0; i < 300; ++i) {
    Step step = lab.step(i, {1, 2});
    const uint32_t next = uint32_t((i + 1) % 3);
    const uint32_t after_next = uint32_t((i + 2) % 3);
    step.lookahead = {lab.geometry().id(next, 2), lab.geometry().id(after_next, 5),
                      lab.geometry().id(next, 7)};
    hints = hints_after(*recorded, step);
    ASSERT_EQ(hints.size(), 3U);
    for (size_t rank = 0; rank < 3; ++rank) {
      EXPECT_EQ(hints[rank].expert, step.lookahead[rank]);
    }
  }
  EXPECT_GT(hints[0].confidence, 0.95F);
  EXPECT_LT(hints[2].confidence, 0.05F);
}

TEST(Recorded, is_refused_by_a_source_without_look_ahead) {
  Lab lab(3, 8, 2);
  lab.source.has_lookahead = false;
  EXPECT_NE(refusal(lab, "recorded").find("look-ahead"), std::string::npos);
}

}  // namespace
}  // namespace spillway
