#include "app/calibrate/drive_watch.h"

#include <gtest/gtest.h>

#include "core/expects.h"
#include "stores/store.h"

namespace spillway {
namespace {

// Of experts that lie one after the other in one file, as in a GGUF.
std::vector<uint64_t> sizes_of(std::vector<uint64_t> expert_bytes, uint64_t alignment) {
  const ModelGeometry geometry = {.layers = uint32_t(expert_bytes.size()),
                                  .experts_per_layer = 3,
                                  .top_k = 1,
                                  .used_top_k = 1,
                                  .expert_bytes = std::move(expert_bytes)};
  ExpertTables tables{{"model"}, geometry.experts_per_layer, {}};
  uint64_t end = 0;
  for (const uint64_t bytes : geometry.expert_bytes) {
    tables.layers.push_back({{0, end, bytes}});
    end += bytes * geometry.experts_per_layer;
  }
  const auto store = make_range_store(tables, geometry);
  Expects(store.has_value());
  return read_sizes(**store, geometry, alignment);
}

using Sizes = std::vector<uint64_t>;

TEST(ReadSizes, are_those_of_the_experts_where_these_are_aligned) {
  EXPECT_EQ(sizes_of({3059712}, 4096), Sizes{3059712});
  EXPECT_EQ(sizes_of({8192, 65536}, 4096), (Sizes{8192, 65536}));
  EXPECT_EQ(sizes_of({2304}, 1), Sizes{2304});
}

// The first expert lies in bytes 0 to 2399, the second in 2400 to 4799. With blocks of 512 bytes their reads
// span bytes 0 to 2559 and 2048 to 5119.
TEST(ReadSizes, have_what_alignment_adds_by_where_each_expert_lies) {
  EXPECT_EQ(sizes_of({2400}, 512), (Sizes{2560, 3072}));
  EXPECT_EQ(sizes_of({2400}, 4096), (Sizes{4096, 8192}));
}

// The first case reads bytes 0 to 1,003,519 and 1,002,496 to 2,007,039. In the last case the sizes
// differ much more.
TEST(ReadSizes, are_one_where_all_are_much_the_same) {
  EXPECT_EQ(sizes_of({1'003'000}, 4096), Sizes{1'003'520});
  EXPECT_EQ(sizes_of({65536, 65536 + 4096}, 4096), Sizes{65536});
  EXPECT_EQ(sizes_of({65536, 65536 + 8192}, 4096), (Sizes{65536, 65536 + 8192}));
}

TEST(ReadSizes, leave_out_layers_without_experts) {
  EXPECT_EQ(sizes_of({0, 8192, 0}, 4096), Sizes{8192});
}

}  // namespace
}  // namespace spillway
