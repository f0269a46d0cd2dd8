#include "host/linux/page_memory.h"

#include "core/units.h"
#include "host/posix_file.h"
#include "tests/support/store_fixture.h"

namespace spillway {
namespace {

using testing::mentions;

TEST(PageMemoryTest, is_what_was_asked_for_aligned_and_writable) {
  for (const PageKind kind : {PageKind::small, PageKind::thp, PageKind::hugetlb}) {
    Result<PageMemory> memory = PageMemory::allocate(5 * kMiB, kind);
    if (!memory && memory.error().kind == ErrorKind::unavailable) {
      continue;
    }
    ASSERT_TRUE(memory) << memory.error().message;
    EXPECT_EQ(memory->kind(), kind);
    EXPECT_EQ(memory->size(), 6 * kMiB);
    EXPECT_EQ(reinterpret_cast<uint64_t>(memory->bytes().data()) % (2 * kMiB), 0U);
    ASSERT_TRUE(memory->touch());
    memory->bytes().front() = std::byte{1};
    memory->bytes().back() = std::byte{2};
    EXPECT_LE(memory->huge_bytes(), memory->size());
    EXPECT_TRUE(mentions(memory->describe(), "6.29 MB"));
    const PageMemory moved = std::move(*memory);
    EXPECT_EQ(moved.bytes().back(), std::byte{2});
  }
}

TEST(PageMemoryTest, small_pages_are_never_huge) {
  Result<PageMemory> memory = PageMemory::allocate(8 * kMiB, PageKind::small);
  ASSERT_TRUE(memory && memory->touch());
  EXPECT_EQ(memory->huge_bytes(), 0U);
}

TEST(PageMemoryTest, transparent_huge_pages_are_counted_as_granted) {
  if (!mentions(read_text("/sys/kernel/mm/transparent_hugepage/enabled").value_or("[never]"), "[")) {
    GTEST_SKIP() << "no transparent huge pages";
  }
  Result<PageMemory> memory = PageMemory::allocate(16 * kMiB, PageKind::thp);
  SKIP_IF_UNAVAILABLE(memory);
  ASSERT_TRUE(memory->touch());
  if (memory->huge_bytes() == 0) {
    GTEST_SKIP() << "the kernel granted none: " << memory->describe();
  }
  EXPECT_TRUE(mentions(memory->describe(), "transparent huge pages"));
}

TEST(PageMemoryTest, a_pool_too_small_is_refused_with_the_line_that_enlarges_it) {
  const Result<PageMemory> memory = PageMemory::allocate(uint64_t(1) << 45, PageKind::hugetlb);
  ASSERT_FALSE(memory);
  EXPECT_EQ(memory.error().kind, ErrorKind::unavailable);
  EXPECT_TRUE(mentions(memory.error().message, "sysctl vm.nr_hugepages=16777216")) << memory.error().message;
}

TEST(PageMemoryTest, without_a_wish_there_is_always_some_kind) {
  Result<PageMemory> memory = PageMemory::allocate(1, std::nullopt);
  ASSERT_TRUE(memory);
  EXPECT_NE(memory->kind(), PageKind::small);
  EXPECT_FALSE(PageMemory::allocate(0, std::nullopt));
}

TEST(PageKindTest, has_names_that_parse) {
  EXPECT_EQ(*parse_page_kind("thp"), PageKind::thp);
  EXPECT_TRUE(mentions(parse_page_kind("huge").error().message, "small, thp, hugetlb"));
}

}  // namespace
}  // namespace spillway
