#include "backends/mapped_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <vector>

#include "core/units.h"
#include "host/linux/page_memory.h"
#include "tests/support/program.h"

namespace spillway {
namespace {

// Returns how many pages of [begin, end) this process has mapped, or nothing where the kernel
// does not report it.
std::optional<uint64_t> mapped_pages(const std::byte* begin, const std::byte* end) {
  const auto first = reinterpret_cast<uint64_t>(begin) / kSmallPageBytes;
  const auto last = reinterpret_cast<uint64_t>(end) / kSmallPageBytes;
  std::vector<uint64_t> entries(last - first);
  const size_t bytes = entries.size() * sizeof(uint64_t);
  const int table = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  const bool told =
      table >= 0 && ::pread(table, entries.data(), bytes, off_t(first * sizeof(uint64_t))) == ssize_t(bytes);
  ::close(table);
  if (!told) {
    return std::nullopt;
  }
  return uint64_t(std::ranges::count_if(entries, [](uint64_t entry) { return (entry >> 63) != 0; }));
}

// A file that was just written is in the page cache as a whole, so a fault finds neighbours to map.
class MappedFilesRelease : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ofstream(path_) << std::string(kMiB, 'x');
    Result<StoreFiles> store = open_store_files(std::vector{path_}, false);
    ASSERT_TRUE(store) << store.error().message;
    Result<MappedFiles> mapped = MappedFiles::map(std::move(*store));
    ASSERT_TRUE(mapped) << mapped.error().message;
    mapped_.emplace(std::move(*mapped));
    if (!mapped_pages(at(0), at(kMiB))) {
      GTEST_SKIP() << "/proc/self/pagemap cannot be read";
    }
  }

  const std::byte* at(uint64_t offset) const { return mapped_->at({0, 0, 0}) + offset; }

  test::TemporaryDirectory directory_;
  std::string path_ = directory_ / "file";
  std::optional<MappedFiles> mapped_;
};

TEST_F(MappedFilesRelease, LeavesNothingMappedOfALargeRangeAndAroundIt) {
  constexpr uint64_t kWindow = 64 * kKiB;
  // The second range begins in the last page of a window; a fault maps the rest of the window.
  for (const ByteRange& range : {ByteRange{0, 100'000, 200'000}, {0, 65'436, 70'000}}) {
    SCOPED_TRACE(range.bytes);
    const std::byte* const begin = at(range.offset / kWindow * kWindow);
    const std::byte* const end = at(((range.offset + range.bytes) / kWindow + 1) * kWindow);
    ASSERT_EQ(mapped_->touch(range), 0);
    EXPECT_GT(*mapped_pages(begin, end), range.bytes / kSmallPageBytes + 2) << "neighbours too";
    mapped_->release(range);
    EXPECT_EQ(*mapped_pages(begin, end), 0U);
    EXPECT_EQ(*mapped_->at(range), std::byte('x'));
    mapped_->release(range);
  }
}

TEST_F(MappedFilesRelease, LeavesTheNeighboursOfASmallRangeMapped) {
  const ByteRange range{0, 100'000, 9000};
  ASSERT_EQ(mapped_->touch(range), 0);
  const uint64_t before = *mapped_pages(at(0), at(kMiB));
  mapped_->release(range);
  // Bytes 102,400 to 106,495 are released.
  EXPECT_EQ(*mapped_pages(at(0), at(kMiB)), before - 1);
}

}  // namespace
}  // namespace spillway
