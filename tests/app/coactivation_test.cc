#include "app/pack/coactivation.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/rng.h"
#include "tests/support/step_list.h"

namespace spillway {
namespace {

ModelGeometry shape(uint32_t layers, uint32_t experts, uint32_t top_k) {
  return {.layers = layers,
          .experts_per_layer = experts,
          .top_k = top_k,
          .used_top_k = top_k,
          .expert_bytes = std::vector<uint64_t>(layers, 100)};
}

Step step_of(const ModelGeometry& geometry, uint32_t layer, std::vector<uint16_t> choices) {
  Step step;
  step.layer = layer;
  step.tokens = uint32_t(choices.size()) / geometry.used_top_k;
  step.phase = step.tokens == 1 ? Phase::decode : Phase::prefill;
  step.choices = std::move(choices);
  std::vector<bool> seen(geometry.experts_per_layer);
  collect_distinct(geometry, seen, step);
  return step;
}

// Returns the experts of a layer in their order on disk.
std::vector<uint32_t> order(const SlotTable& slots, uint32_t layer, uint32_t experts) {
  std::vector<uint32_t> list(experts, ~0U);
  for (uint32_t expert = 0; expert < experts; ++expert) {
    list.at(slots.at(layer * experts + expert)) = expert;
  }
  return list;
}

using test::StepList;
using Order = std::vector<uint32_t>;

TEST(Coactivation, WithoutAnyCountsEveryExpertStaysInThePlaceOfItsNumber) {
  const ModelGeometry geometry = shape(3, 5, 2);
  EXPECT_EQ(Coactivation::start(geometry)->slots(), slots_by_id(geometry));
  EXPECT_EQ(order(slots_by_id(geometry), 2, 5), (Order{0, 1, 2, 3, 4}));
}

TEST(Coactivation, LinksPairsInFallingOrderOfTheirCount) {
  const ModelGeometry geometry = shape(2, 6, 2);
  Result<Coactivation> counts = Coactivation::start(geometry);
  const auto use = [&](uint16_t a, uint16_t b, int times) {
    for (int i = 0; i < times; ++i) {
      counts->observe(step_of(geometry, 1, {a, b}));
    }
  };
  use(1, 4, 9);
  use(5, 4, 8);
  use(4, 2, 7);  // too late: 4 has two neighbours
  use(1, 5, 6);  // would close the chain
  use(2, 0, 1);
  use(2, 5, 1);  // joins the chains, after 0-2 which has lower numbers
  const SlotTable slots = counts->slots();
  EXPECT_EQ(order(slots, 1, 6), (Order{0, 2, 5, 4, 1, 3}));
  EXPECT_EQ(order(slots, 0, 6), (Order{0, 1, 2, 3, 4, 5})) << "another layer's order changed";
}

TEST(Coactivation, EqualCountsGoByTheLowerNumbersWhateverTheOrderOfTheSteps) {
  const ModelGeometry geometry = shape(1, 4, 2);
  const std::vector<std::vector<uint16_t>> uses = {{3, 2}, {1, 3}, {0, 3}, {2, 0}};
  std::vector<size_t> turn = {0, 1, 2, 3};
  do {
    Result<Coactivation> counts = Coactivation::start(geometry);
    for (const size_t i : turn) {
      counts->observe(step_of(geometry, 0, uses[i]));
    }
    // 0-2, 0-3, 1-3; 2-3 would close a chain.
    EXPECT_EQ(order(counts->slots(), 0, 4), (Order{1, 3, 0, 2}));
  } while (std::next_permutation(turn.begin(), turn.end()));
}

TEST(Coactivation, CountsEachTokenOfABatchByItself) {
  const ModelGeometry geometry = shape(1, 6, 2);
  Result<Coactivation> counts = Coactivation::start(geometry);
  counts->observe(step_of(geometry, 0, {0, 3, 5, 1}));
  EXPECT_EQ(order(counts->slots(), 0, 6), (Order{0, 3, 1, 5, 2, 4}));
}

TEST(Coactivation, GivesEveryExpertOneSlotOfItsLayer) {
  Rng random(7);
  for (const uint32_t experts : {1U, 2U, 3U, 17U, 64U}) {
    const uint32_t top_k = std::min(experts, 4U);
    const ModelGeometry geometry = shape(2, experts, top_k);
    Result<Coactivation> counts = Coactivation::start(geometry);
    for (int i = 0; i < 300; ++i) {
      std::vector<uint16_t> choices;
      while (choices.size() < top_k) {
        const auto choice = uint16_t(random.below(experts));
        if (std::find(choices.begin(), choices.end(), choice) == choices.end()) {
          choices.push_back(choice);
        }
      }
      counts->observe(step_of(geometry, uint32_t(i % 2), choices));
    }
    const SlotTable slots = counts->slots();
    for (uint32_t layer = 0; layer < 2; ++layer) {
      Order list = order(slots, layer, experts);
      std::sort(list.begin(), list.end());
      EXPECT_EQ(list, order(slots_by_id(geometry), layer, experts));
    }
  }
}

TEST(Coactivation, RefusesAShapeWithTooManyPairsToCount) {
  const auto refused = Coactivation::start(shape(256, 65'536, 8));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("--layout id"), std::string::npos) << refused.error().message;
}

// Groups of experts that are always used together, with scattered numbers: on disk each group
// must become one run.
TEST(Coactivation, MakesOneRunOfExpertsThatAreAlwaysUsedTogether) {
  const ModelGeometry geometry = shape(2, 32, 4);
  std::vector<Step> steps;
  for (uint16_t turn = 0; turn < 40; ++turn) {
    const auto first = uint16_t(turn % 8);
    const std::vector<uint16_t> group = {first, uint16_t(first + 24), uint16_t(first + 8),
                                         uint16_t(first + 16)};
    steps.push_back(step_of(geometry, turn % 2U, group));
  }
  Result<Coactivation> counts = Coactivation::start(geometry);
  for (const Step& step : steps) {
    counts->observe(step);
  }
  StepList again(geometry, steps);
  StepList once_more(geometry, steps);
  EXPECT_EQ(*runs_per_decode_step(again, slots_by_id(geometry)), 4.0);
  EXPECT_EQ(*runs_per_decode_step(once_more, counts->slots()), 1.0);
  StepList none(geometry, {});
  EXPECT_EQ(*runs_per_decode_step(none, counts->slots()), 0.0);
}

}  // namespace
}  // namespace spillway
