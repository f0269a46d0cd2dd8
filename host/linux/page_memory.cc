#include "host/linux/page_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <utility>

#include "core/units.h"
#include "host/linux/proc_text.h"
#include "host/posix_file.h"

namespace spillway {
namespace {

// From linux/mman.h, which clashes with sys/mman.h: asks for pages of 2^21 bytes whatever the
// system's default is.
constexpr int kHugetlb2MiB = 21 << 26;

// Maps hugetlb pages, which reserves all of them from the pool at once: none can be missing later.
std::byte* map_hugetlb(uint64_t size) {
  void* base = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | kHugetlb2MiB, -1, 0);
  return base == MAP_FAILED ? nullptr : static_cast<std::byte*>(base);
}

Unexpected hugetlb_refused(uint64_t size) {
  const uint64_t pages = size / kHugePageBytes;
  return unavailable(
      "the kernel refused {} of hugetlb pages ({} pages of 2 MiB): its pool is too small; as root: "
      "sysctl vm.nr_hugepages={}, or use --pages thp",
      format_bytes(size), pages, pages);
}

}  // namespace

std::byte* map_aligned(uint64_t bytes, int protection, int flags) {
  const uint64_t size = round_up(bytes, kSmallPageBytes);
  const uint64_t room = size + kHugePageBytes;
  void* reserved = ::mmap(nullptr, room, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  if (reserved == MAP_FAILED) {
    return nullptr;
  }
  const uint64_t begin = reinterpret_cast<uint64_t>(reserved);
  const uint64_t aligned = round_up(begin, kHugePageBytes);
  if (aligned > begin) {
    ::munmap(reserved, aligned - begin);
  }
  if (begin + room > aligned + size) {
    ::munmap(reinterpret_cast<void*>(aligned + size), begin + room - aligned - size);
  }
  return reinterpret_cast<std::byte*>(aligned);
}

std::string_view page_kind_name(PageKind kind) {
  switch (kind) {
    case PageKind::small:
      return "small";
    case PageKind::thp:
      return "thp";
    case PageKind::hugetlb:
      return "hugetlb";
  }
  std::abort();
}

Result<PageKind> parse_page_kind(std::string_view text) {
  for (const PageKind kind : {PageKind::small, PageKind::thp, PageKind::hugetlb}) {
    if (text == page_kind_name(kind)) {
      return kind;
    }
  }
  return wrong_usage("'{}' is not a kind of page; choose one of: small, thp, hugetlb", text);
}

Result<PageMemory> PageMemory::allocate(uint64_t bytes, std::optional<PageKind> wanted) {
  constexpr uint64_t kMost = uint64_t(1) << 46;
  if (bytes == 0 || bytes > kMost) {
    return wrong_usage("cannot allocate {} bytes of memory; choose between 1 byte and {}", bytes,
                       format_bytes(kMost));
  }
  const uint64_t size = round_up(bytes, kHugePageBytes);
  if (!wanted || *wanted == PageKind::hugetlb) {
    if (std::byte* base = map_hugetlb(size); base != nullptr) {
      return PageMemory(base, size, PageKind::hugetlb);
    }
    if (wanted) {
      return hugetlb_refused(size);
    }
  }
  const PageKind kind = wanted.value_or(PageKind::thp);
  std::byte* base = map_aligned(size, PROT_READ | PROT_WRITE, 0);
  if (base == nullptr) {
    return failed("cannot allocate {} of memory: {}", format_bytes(size), error_text(errno));
  }
  PageMemory memory(base, size, kind);
  const int advice = kind == PageKind::thp ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;
  // A kernel without transparent huge pages refuses both kinds of advice and gives small pages anyway.
  if (::madvise(base, size, advice) != 0 && wanted == PageKind::thp) {
    return unavailable("the kernel refused transparent huge pages: {}; use --pages small", error_text(errno));
  }
  return memory;
}

PageMemory::PageMemory(PageMemory&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)), size_(std::exchange(other.size_, 0)), kind_(other.kind_) {}

PageMemory& PageMemory::operator=(PageMemory&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(size_, other.size_);
  std::swap(kind_, other.kind_);
  return *this;
}

PageMemory::~PageMemory() {
  if (base_ != nullptr) {
    ::munmap(base_, size_);
  }
}

Result<void> PageMemory::touch() {
  // Unlike a store to the pages, the system call reports missing memory instead of killing the process.
  if (::madvise(base_, size_, MADV_POPULATE_WRITE) == 0) {
    return {};
  }
  if (errno != EINVAL) {
    return failed("not enough memory for {}: {}; ask for less", format_bytes(size_), error_text(errno));
  }
  // Kernels before Linux 5.14 lack the call.
  for (uint64_t offset = 0; offset < size_; offset += kSmallPageBytes) {
    *static_cast<volatile std::byte*>(base_ + offset) = std::byte{0};
  }
  return {};
}

uint64_t PageMemory::huge_bytes() const {
  if (kind_ == PageKind::hugetlb) {
    return size_;
  }
  const uint64_t begin = reinterpret_cast<uint64_t>(base_);
  return std::min(smaps_bytes(begin, begin + size_, "AnonHugePages"), size_);
}

std::string PageMemory::describe() const {
  switch (kind_) {
    case PageKind::small:
      return fmt::format("{} of 4 KiB pages", format_bytes(size_));
    case PageKind::thp:
      return fmt::format("{} of transparent huge pages, {:.0f} % granted", format_bytes(size_),
                         100.0 * double(huge_bytes()) / double(size_));
    case PageKind::hugetlb:
      return fmt::format("{} of hugetlb pages", format_bytes(size_));
  }
  std::abort();
}

}  // namespace spillway
