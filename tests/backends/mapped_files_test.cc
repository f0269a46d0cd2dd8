#include "backends/mapped_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <vector>

#include "backends/page_memory.h"
#include "core/units.h"
#include "tests/support/program.h"

namespace spillway {
namespace {

// Pages of [begin, end) that this process has mapped; nothing where the kernel does not tell.
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

// Just written, so all of the file is in the page cache, and a fault finds neighbours to map.
TEST(MappedFiles, HasNothingMappedAnyMoreOfWhatWasReleasedAndAroundIt) {
  const test::TemporaryDirectory directory;
  const std::string path = directory / "file";
  std::ofstream(path) << std::string(kMiB, 'x');
  Result<StoreFiles> store = open_store_files(std::vector{path}, false);
  ASSERT_TRUE(store) << store.error().message;
  Result<MappedFiles> mapped = MappedFiles::map(std::move(*store));
  ASSERT_TRUE(mapped) << mapped.error().message;
  const std::byte* const base = mapped->at({0, 0, 0});
  if (!mapped_pages(base, base + kMiB)) {
    GTEST_SKIP() << "/proc/self/pagemap cannot be read";
  }
  constexpr uint64_t kWindow = 64 * kKiB;
  // The second begins in the last page of a window, of which a fault maps the rest; the third has no whole
  // page.
  for (const ByteRange& range : {ByteRange{0, 100'000, 200'000}, {0, 65'436, 9000}, {0, 65'436, 2304}}) {
    SCOPED_TRACE(range.bytes);
    const std::byte* const begin = base + range.offset / kWindow * kWindow;
    const std::byte* const end = base + ((range.offset + range.bytes) / kWindow + 1) * kWindow;
    ASSERT_EQ(mapped->touch(range), 0);
    EXPECT_GT(*mapped_pages(begin, end), range.bytes / kSmallPageBytes + 2) << "neighbours too";
    mapped->release(range);
    EXPECT_EQ(*mapped_pages(begin, end), 0U);
    EXPECT_EQ(*mapped->at(range), std::byte('x'));
    mapped->release(range);
  }
}

}  // namespace
}  // namespace spillway
