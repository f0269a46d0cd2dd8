#include "backends/mapped_files.h"

#include <gtest/gtest.h>

#include <fstream>

#include "backends/proc_text.h"
#include "core/units.h"
#include "tests/support/program.h"

namespace spillway {
namespace {

// Just written, so all of the file is in the page cache, and a fault finds neighbours to map.
TEST(MappedFiles, has_nothing_mapped_any_more_of_what_was_released_and_around_it) {
  const test::TemporaryDirectory directory;
  const std::string path = directory / "file";
  std::ofstream(path) << std::string(kMiB, 'x');
  Result<StoreFiles> store = open_store_files(std::vector{path}, false);
  ASSERT_TRUE(store) << store.error().message;
  Result<MappedFiles> mapped = MappedFiles::map(std::move(*store));
  ASSERT_TRUE(mapped) << mapped.error().message;
  const auto resident = [&] {
    const auto begin = reinterpret_cast<uint64_t>(mapped->at({0, 0, 0}));
    return smaps_bytes(begin, begin + kMiB, "Rss");
  };
  const ByteRange range{0, 100'000, 200'000};
  ASSERT_EQ(mapped->touch(range), 0);
  EXPECT_GE(resident(), range.bytes);
  mapped->release(range);
  EXPECT_EQ(resident(), 0U);
  EXPECT_EQ(*mapped->at(range), std::byte('x'));
}

}  // namespace
}  // namespace spillway
