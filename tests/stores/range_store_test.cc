#include "stores/store.h"
#include "tests/support/store_fixture.h"

namespace spillway {
namespace {

using testing::geometry;
using testing::mentions;

// Two layers of three experts; the second layer's parts are in two files.
ExpertTables two_layers() {
  return {.files = {"first.bin", "second.bin"},
          .experts_per_layer = 3,
          .layers = {{{.file = 0, .offset = 100, .bytes = 10}, {.file = 0, .offset = 200, .bytes = 20}},
                     {{.file = 0, .offset = 300, .bytes = 10}, {.file = 1, .offset = 7, .bytes = 20}}}};
}

TEST(RangeStore, FindsThePartsOfEachExpertInOrder) {
  const auto store = make_range_store(two_layers(), geometry(2, 3, 30));
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ((*store)->files().size(), 2U);
  EXPECT_FALSE((*store)->can_check());
  std::vector<ByteRange> ranges;
  (*store)->ranges(ExpertId{2}, ranges);
  (*store)->ranges(ExpertId{4}, ranges);
  ASSERT_EQ(ranges.size(), 4U);
  EXPECT_EQ(ranges[0].offset, 100U + 2 * 10);
  EXPECT_EQ(ranges[0].bytes, 10U);
  EXPECT_EQ(ranges[1].offset, 200U + 2 * 20);
  EXPECT_EQ(ranges[2].offset, 300U + 10);
  EXPECT_EQ(ranges[3].offset, 7U + 20);
  EXPECT_EQ(ranges[3].file, 1U);
  EXPECT_EQ(ranges[3].bytes, 20U);
}

TEST(RangeStore, OfAnotherShapeIsRefusedShowingBoth) {
  const auto count = make_range_store(two_layers(), geometry(2, 8, 30));
  ASSERT_FALSE(count);
  EXPECT_TRUE(mentions(count.error().message, "first.bin has 2 layers × 3 experts")) << count.error().message;
  EXPECT_TRUE(mentions(count.error().message, "2 layers × 8 experts"));
  const auto layers = make_range_store(two_layers(), geometry(3, 3, 30));
  ASSERT_FALSE(layers);
  EXPECT_TRUE(mentions(layers.error().message, "3 layers × 3 experts"));
  const auto size = make_range_store(two_layers(), geometry(2, 3, 31));
  ASSERT_FALSE(size);
  EXPECT_TRUE(mentions(size.error().message, "experts of 30 bytes in layer 0, but the trace needs 31"));
}

}  // namespace
}  // namespace spillway
