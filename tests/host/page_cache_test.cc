#include "host/linux/page_cache.h"

#include "core/units.h"
#include "tests/support/store_fixture.h"

namespace spillway {
namespace {

using testing::filled;
using testing::mentions;
using testing::TemporaryDirectory;

TEST(PageCacheTest, a_file_is_warm_when_read_and_cold_when_dropped) {
  const TemporaryDirectory directory;
  const std::string path = directory / "data";
  testing::write_file(path, filled(4 * kMiB));
  ASSERT_TRUE(drop_page_cache(std::vector{path}));
  const Result<uint64_t> cold = cached_bytes(path);
  ASSERT_TRUE(cold);
  EXPECT_EQ(testing::read_file(path).size(), 4 * kMiB);
  const Result<uint64_t> warm = cached_bytes(path);
  ASSERT_TRUE(warm);
  if (*warm == 0 || *cold == *warm) {
    GTEST_SKIP() << "this file system keeps its own cache: " << *cold << " and " << *warm;
  }
  EXPECT_EQ(*warm, 4 * kMiB);
  EXPECT_EQ(*cold, 0U);
}

TEST(PageCacheTest, names_the_file_that_is_not_there) {
  EXPECT_TRUE(mentions(drop_page_cache(std::vector<std::string>{"/nowhere"}).error().message, "/nowhere"));
  EXPECT_TRUE(mentions(cached_bytes("/nowhere").error().message, "/nowhere"));
}

}  // namespace
}  // namespace spillway
