#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"

namespace spillway {

// What memory is made of. A drive writes into huge pages up to 2.5 times as fast as into scattered small
// ones.
enum class PageKind {
  small,    // 4 KiB pages
  thp,      // 4 KiB pages which the kernel is asked to replace by 2 MiB ones
  hugetlb,  // 2 MiB pages from the system's reserved pool; not charged to memory cgroups
};

constexpr uint64_t kSmallPageBytes = 4 << 10;
constexpr uint64_t kHugePageBytes = 2 << 20;

// Maps anonymous memory at a multiple of 2 MiB, where huge pages can be; `bytes` are rounded up to small
// pages. mmap() takes `protection`, and `flags` beside MAP_PRIVATE and MAP_ANONYMOUS. Returns nullptr, and
// sets errno, where the kernel refuses. The caller gives the memory back with munmap().
std::byte* map_aligned(uint64_t bytes, int protection, int flags);

std::string_view page_kind_name(PageKind kind);
Result<PageKind> parse_page_kind(std::string_view text);

// Anonymous memory of one kind of page, zeroed, aligned to 2 MiB.
class PageMemory {
 public:
  // At least `bytes`, rounded up to whole pages. Without a wish: hugetlb when the pool has enough, else thp.
  // A wish that is refused is unavailable(), with what to do about it.
  static Result<PageMemory> allocate(uint64_t bytes, std::optional<PageKind> wanted);

  PageMemory() = default;
  PageMemory(PageMemory&& other) noexcept;
  PageMemory& operator=(PageMemory&& other) noexcept;
  ~PageMemory();

  std::span<std::byte> bytes() const { return {base_, size_}; }
  uint64_t size() const { return size_; }
  PageKind kind() const { return kind_; }

  // Makes every page real now: the first touch of a page is slow and would be measured as I/O. Fails where
  // there is not enough memory for it.
  Result<void> touch();

  // How much of it the kernel backs by huge pages at this moment. Slow: reads /proc/self/smaps.
  uint64_t huge_bytes() const;

  // `4.00 GB of transparent huge pages, 97 % granted`
  std::string describe() const;

 private:
  PageMemory(std::byte* base, uint64_t size, PageKind kind) : base_(base), size_(size), kind_(kind) {}

  std::byte* base_ = nullptr;
  uint64_t size_ = 0;
  PageKind kind_ = PageKind::small;
};

}  // namespace spillway
