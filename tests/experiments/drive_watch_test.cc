#include "experiments/drive_watch.h"

#include <gtest/gtest.h>

#include "tests/support/imagined_store.h"

namespace spillway {
namespace {

std::vector<uint64_t> sizes_of(std::vector<uint64_t> expert_bytes, uint64_t alignment) {
  const ModelGeometry geometry = {.layers = uint32_t(expert_bytes.size()),
                                  .experts_per_layer = 3,
                                  .top_k = 1,
                                  .used_top_k = 1,
                                  .expert_bytes = std::move(expert_bytes)};
  return read_sizes(ImaginedStore(geometry), geometry, alignment);
}

using Sizes = std::vector<uint64_t>;

TEST(ReadSizes, are_those_of_the_experts_where_these_are_aligned) {
  EXPECT_EQ(sizes_of({3059712}, 4096), Sizes{3059712});
  EXPECT_EQ(sizes_of({8192, 65536}, 4096), (Sizes{8192, 65536}));
  EXPECT_EQ(sizes_of({2304}, 1), Sizes{2304});
}

// The first lies in bytes 0 to 2399, the second in 2400 to 4799: from 0 to 2559 and from 2048 to 5119.
TEST(ReadSizes, have_what_alignment_adds_by_where_each_expert_lies) {
  EXPECT_EQ(sizes_of({2400}, 512), (Sizes{2560, 3072}));
  EXPECT_EQ(sizes_of({2400}, 4096), (Sizes{4096, 8192}));
}

TEST(ReadSizes, are_one_where_all_are_much_the_same) {
  EXPECT_EQ(sizes_of({1'000'000}, 512), Sizes{1'000'448});
}

}  // namespace
}  // namespace spillway
