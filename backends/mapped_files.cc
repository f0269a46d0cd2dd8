#include "backends/mapped_files.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>

#include "core/units.h"
#include "host/linux/page_memory.h"
#include "host/linux/proc_text.h"

namespace spillway {
namespace {

// A fault also maps those parts of the 64 KiB around it that the page cache has (the kernel's usual
// fault_around_bytes). They may belong to experts that were not asked for and so would never be released.
// Kernels since 6.18 map more where the page cache holds large folios; unmapping all of that would also
// unmap pages in use.
constexpr uint64_t kFaultAroundBytes = 64 * kKiB;

// A read error below a mapping arrives as SIGBUS in the thread that touched the page, but signal handlers
// belong to the process; hence these two variables. A thread that expects the signal says where to land. The
// pointer is volatile, since the compiler cannot see that reading a page may use it.
thread_local sigjmp_buf* volatile landing = nullptr;
struct sigaction earlier_action;

void on_sigbus(int signal, siginfo_t*, void*) {
  if (landing != nullptr) {
    siglongjmp(*landing, 1);
  }
  // An unexpected SIGBUS: the access is repeated under the handler that was installed before.
  ::sigaction(signal, &earlier_action, nullptr);
}

void install_sigbus_handler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action = {};
    action.sa_sigaction = on_sigbus;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    ::sigaction(SIGBUS, &action, &earlier_action);
  });
}

// Reads one byte of each page. Not inlined, so that the jump out of it cannot confuse the caller's variables.
[[gnu::noinline]] void read_each_page(const std::byte* begin, const std::byte* end) {
  for (const volatile std::byte* page = begin; page < end; page += kSmallPageBytes) {
    static_cast<void>(*page);
  }
  static_cast<void>(*static_cast<const volatile std::byte*>(end - 1));
}

// Returns false if a page could not be read. Holds no resources that the jump would leak.
bool touch_pages(const std::byte* begin, const std::byte* end) {
  sigjmp_buf here;
  // Saves the signal mask too, since the jump leaves the handler without the kernel's knowledge.
  if (sigsetjmp(here, 1) != 0) {
    landing = nullptr;
    return false;
  }
  landing = &here;
  read_each_page(begin, end);
  landing = nullptr;
  return true;
}

// Maps the file at a multiple of 2 MiB. Returns nullptr and sets errno if the kernel refuses.
std::byte* map_file(const StoreFile& file) {
  std::byte* base = map_aligned(file.bytes, PROT_NONE, MAP_NORESERVE);
  if (base == nullptr) {
    return nullptr;
  }
  if (::mmap(base, file.bytes, PROT_READ, MAP_SHARED | MAP_FIXED, file.handle.get(), 0) == MAP_FAILED) {
    const int error = errno;
    ::munmap(base, file.bytes);
    errno = error;
    return nullptr;
  }
  return base;
}

}  // namespace

Result<MappedFiles> MappedFiles::map(StoreFiles store) {
  install_sigbus_handler();
  MappedFiles mapped(std::move(store));
  for (const StoreFile& file : mapped.store_.files) {
    std::byte* base = nullptr;
    if (file.bytes > 0) {
      base = map_file(file);
      if (base == nullptr) {
        return failed("cannot map {} ({}): {}", file.path, format_bytes(file.bytes), error_text(errno));
      }
      // Whole pages: an access behind the file's end but within its last page is one of the file.
      mapped.names_.emplace_back(base, round_up(file.bytes, kSmallPageBytes), file.path);
    }
    mapped.bases_.push_back(base);
  }
  return mapped;
}

MappedFiles::~MappedFiles() {
  for (size_t i = 0; i < bases_.size(); ++i) {
    if (bases_[i] != nullptr) {
      ::munmap(bases_[i], store_.files[i].bytes);
    }
  }
}

int MappedFiles::advise_all(int advice) const {
  for (size_t i = 0; i < bases_.size(); ++i) {
    if (bases_[i] != nullptr && ::madvise(bases_[i], store_.files[i].bytes, advice) != 0) {
      return errno;
    }
  }
  return 0;
}

int MappedFiles::advise(const ByteRange& range, int advice, uint64_t unit) const {
  const uint64_t file_end = round_up(store_.files[range.file].bytes, kSmallPageBytes);
  const uint64_t begin = round_down(range.offset, unit);
  const uint64_t end = std::min(round_up(range.offset + range.bytes, unit), file_end);
  if (begin >= end) {
    return 0;
  }
  return ::madvise(bases_[range.file] + begin, end - begin, advice) == 0 ? 0 : errno;
}

int MappedFiles::touch(const ByteRange& range) const {
  const ReadExtent extent = read_extent(store_, range);
  if (extent.error != 0 || extent.need == 0) {
    return extent.error;
  }
  const std::byte* begin = at(range);
  return touch_pages(begin, begin + extent.need) ? 0 : EIO;
}

uint64_t MappedFiles::huge_mapped_bytes(const ByteRange& range) const {
  const uint64_t begin = reinterpret_cast<uint64_t>(at(range));
  // Pages of most file systems count as FilePmdMapped, those of tmpfs as ShmemPmdMapped.
  return smaps_bytes(begin, begin + range.bytes, "FilePmdMapped") +
         smaps_bytes(begin, begin + range.bytes, "ShmemPmdMapped");
}

void MappedFiles::release(const ByteRange& range) const {
  const uint64_t size = store_.files[range.file].bytes;
  const uint64_t begin = round_up(range.offset, kSmallPageBytes);
  const uint64_t range_end = range.offset + range.bytes;
  // The page in which the file ends has no neighbour behind the range.
  const uint64_t end =
      range_end >= size ? round_up(size, kSmallPageBytes) : round_down(range_end, kSmallPageBytes);
  if (begin >= end) {
    return;
  }
  // Around a smaller range lie many other ranges, which would fault again and again.
  const bool is_large = range.bytes >= kFaultAroundBytes;
  const uint64_t first = is_large ? round_down(range.offset, kFaultAroundBytes) : begin;
  const uint64_t last =
      is_large ? std::min(round_up(range_end, kFaultAroundBytes), round_up(size, kSmallPageBytes)) : end;
  // Unmaps first, since the page cache keeps mapped pages. If either call fails, the kernel reclaims the
  // memory itself when it needs it, so the run goes on.
  ::madvise(bases_[range.file] + first, last - first, MADV_DONTNEED);
  ::posix_fadvise(store_.files[range.file].handle.get(), off_t(begin), off_t(end - begin),
                  POSIX_FADV_DONTNEED);
}

}  // namespace spillway
