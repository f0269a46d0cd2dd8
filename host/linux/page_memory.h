#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"

namespace spillway {

// The kind of page that memory consists of. A drive writes into huge pages up to 2.5 times as fast as into
// scattered small ones.
enum class PageKind {
  small,    // 4 KiB pages
  thp,      // 4 KiB pages that the kernel is asked to replace by 2 MiB ones
  hugetlb,  // 2 MiB pages from the system's reserved pool; not charged to memory cgroups
};

constexpr uint64_t kSmallPageBytes = 4 << 10;
constexpr uint64_t kHugePageBytes = 2 << 20;

// Maps anonymous memory at a multiple of 2 MiB, where huge pages are possible. Rounds `bytes` up to small
// pages. mmap() gets `protection`, and `flags` in addition to MAP_PRIVATE and MAP_ANONYMOUS. Returns nullptr
// and sets errno if the kernel refuses. The caller owns the memory and returns it with munmap().
std::byte* map_aligned(uint64_t bytes, int protection, int flags);

std::string_view page_kind_name(PageKind kind);
Result<PageKind> parse_page_kind(std::string_view text);

// Anonymous memory of one kind of page, zeroed, aligned to 2 MiB.
class PageMemory {
 public:
  // Allocates at least `bytes`, rounded up to whole 2 MiB pages. Without `wanted`, uses hugetlb pages
  // if the pool has enough, else thp. If the kernel refuses the wanted kind, the error is
  // unavailable() and says what to do.
  static Result<PageMemory> allocate(uint64_t bytes, std::optional<PageKind> wanted);

  PageMemory() = default;
  PageMemory(PageMemory&& other) noexcept;
  PageMemory& operator=(PageMemory&& other) noexcept;
  ~PageMemory();

  std::span<std::byte> bytes() const { return {base_, size_}; }
  uint64_t size() const { return size_; }
  PageKind kind() const { return kind_; }

  // Makes every page real now: the first touch of a page is slow and would otherwise be measured as I/O.
  // Fails if there is not enough memory.
  Result<void> touch();

  // Returns how many bytes the kernel backs by huge pages at this moment. Slow: reads /proc/self/smaps.
  uint64_t huge_bytes() const;

  // Returns `4.00 GB of transparent huge pages, 97 % granted`.
  std::string describe() const;

 private:
  PageMemory(std::byte* base, uint64_t size, PageKind kind) : base_(base), size_(size), kind_(kind) {}

  std::byte* base_ = nullptr;
  uint64_t size_ = 0;
  PageKind kind_ = PageKind::small;
};

}  // namespace spillway
