#include "core/geometry.h"

#include <gtest/gtest.h>

#include "core/step.h"

namespace spillway {
namespace {

ModelGeometry qwen() {
  return {.layers = 48,
          .experts_per_layer = 128,
          .top_k = 8,
          .used_top_k = 6,
          .expert_bytes = std::vector<uint64_t>(48, 3'059'712)};
}

TEST(ModelGeometry, CountsWhatAModelAndATokenNeed) {
  const ModelGeometry shape = qwen();
  ASSERT_TRUE(shape.validate());
  EXPECT_EQ(shape.total_bytes(), 18'798'870'528U);
  EXPECT_EQ(shape.token_cycle_bytes(), 48U * 6 * 3'059'712);
  EXPECT_EQ(shape.name(shape.id(12, 37)), "L12/E37");
  EXPECT_EQ(shape.layer_of(shape.id(47, 127)), 47U);
  EXPECT_EQ(shape.expert_of(shape.id(47, 127)), 127U);
}

TEST(ModelGeometry, RefusesShapesThatNoModelHas) {
  const auto broken = [](auto change) {
    ModelGeometry shape = qwen();
    change(shape);
    return !shape.validate();
  };
  EXPECT_TRUE(broken([](ModelGeometry& g) { g.layers = 0; }));
  EXPECT_TRUE(broken([](ModelGeometry& g) { g.layers = 49; }));
  EXPECT_TRUE(broken([](ModelGeometry& g) { g.experts_per_layer = 0; }));
  EXPECT_TRUE(broken([](ModelGeometry& g) { g.used_top_k = 0; }));
  EXPECT_TRUE(broken([](ModelGeometry& g) { g.used_top_k = 9; }));
  EXPECT_TRUE(broken([](ModelGeometry& g) { g.top_k = 129; }));
  EXPECT_TRUE(broken([](ModelGeometry& g) { g.expert_bytes.assign(48, 0); }));
  EXPECT_TRUE(broken([](ModelGeometry& g) { g.expert_bytes[3] = ~uint64_t(0); }));
  // The largest known model is far below the limit; a damaged header's claims cost no memory.
  EXPECT_FALSE(broken([](ModelGeometry& g) {
    g.layers = 61;
    g.experts_per_layer = 384;
    g.expert_bytes.assign(61, 1);
  }));
  EXPECT_TRUE(broken([](ModelGeometry& g) {
    g.layers = 17;
    g.experts_per_layer = 65536;
    g.expert_bytes.assign(17, 1);
  }));
  EXPECT_TRUE(broken([](ModelGeometry& g) {
    g.layers = 1U << 31;
    g.expert_bytes.clear();
  }));
}

TEST(Step, ListsABatchsExpertsOnceInTheOrderOfTheirLastChoice) {
  const ModelGeometry shape{
      .layers = 2, .experts_per_layer = 8, .top_k = 2, .used_top_k = 2, .expert_bytes = {1, 1}};
  Step step;
  step.layer = 1;
  step.choices = {3, 5, 5, 1, 0, 3};
  std::vector<bool> seen(8);
  collect_distinct(shape, seen, step);
  EXPECT_EQ(step.experts, (std::vector{shape.id(1, 5), shape.id(1, 1), shape.id(1, 0), shape.id(1, 3)}));
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 0);
}

}  // namespace
}  // namespace spillway
