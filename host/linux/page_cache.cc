#include "host/linux/page_cache.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "core/units.h"
#include "host/posix_file.h"

namespace spillway {
namespace {

constexpr uint64_t kPage = 4 * kKiB;

// The system call cachestat(), since Linux 6.5; its number is the same on every architecture.
constexpr long kCachestat = 451;
struct CachestatRange {
  uint64_t offset;
  uint64_t bytes;
};
struct CachestatPages {
  uint64_t cached, dirty, under_writeback, evicted, recently_evicted;
};

// Counts cached pages on older kernels: looks at a mapping, one window at a time, which reads nothing in.
Result<uint64_t> count_by_mincore(const std::string& path, const FileHandle& file, uint64_t size) {
  constexpr uint64_t kWindow = kGiB;
  std::vector<unsigned char> resident(kWindow / kPage);
  uint64_t pages = 0;
  for (uint64_t offset = 0; offset < size; offset += kWindow) {
    const uint64_t bytes = std::min(kWindow, size - offset);
    void* view = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.get(), off_t(offset));
    if (view == MAP_FAILED) {
      return failed("cannot map {} at offset {}: {}", path, offset, error_text(errno));
    }
    const int outcome = ::mincore(view, bytes, resident.data());
    const int error = errno;
    ::munmap(view, bytes);
    if (outcome != 0) {
      return failed("cannot find out which parts of {} are cached: {}", path, error_text(error));
    }
    const auto end = resident.begin() + ptrdiff_t(round_up(bytes, kPage) / kPage);
    pages +=
        uint64_t(std::count_if(resident.begin(), end, [](unsigned char page) { return (page & 1) != 0; }));
  }
  return pages * kPage;
}

}  // namespace

Result<void> drop_page_cache(std::span<const std::string> files) {
  for (const std::string& path : files) {
    Result<FileHandle> file = open_file(path, O_RDONLY);
    if (!file) {
      return propagate(file);
    }
    // Dirty pages would stay in the cache, so they are written first. A failure is ignored: a file system
    // that cannot write (such as a read-only one) has no dirty pages.
    ::fdatasync(file->get());
    if (const int error = ::posix_fadvise(file->get(), 0, 0, POSIX_FADV_DONTNEED); error != 0) {
      return failed("cannot drop {} from the page cache: {}", path, error_text(error));
    }
  }
  return {};
}

Result<uint64_t> cached_bytes(const std::string& path) {
  Result<FileHandle> file = open_file(path, O_RDONLY);
  if (!file) {
    return propagate(file);
  }
  Result<uint64_t> size = file_size(path, *file);
  if (!size) {
    return propagate(size);
  }
  CachestatRange range = {0, 0};  // 0 bytes: to the end
  CachestatPages pages = {};
  if (::syscall(kCachestat, file->get(), &range, &pages, 0) == 0) {
    return pages.cached * kPage;
  }
  return count_by_mincore(path, *file, *size);
}

}  // namespace spillway
