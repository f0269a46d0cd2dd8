#include "backends/store_files.h"

#include <fcntl.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/expects.h"
#include "core/units.h"

namespace spillway {
namespace {

// No drive sold today needs a larger alignment. Used if the kernel (before 6.1) does not
// report the alignment.
constexpr uint64_t kSafeAlignment = 4096;

// Returns the alignment that direct reads of `file` need; 0 if its file system has no direct I/O.
uint64_t direct_alignment(const FileHandle& file) {
  // Calls statx() by number, since the libc wrapper's struct lacks the field on older systems.
  struct statx status = {};
  if (::syscall(SYS_statx, file.get(), "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) != 0 ||
      (status.stx_mask & STATX_DIOALIGN) == 0) {
    return kSafeAlignment;
  }
  return std::max(status.stx_dio_offset_align, status.stx_dio_mem_align);
}

Unexpected no_direct_io(const std::string& path) {
  return unavailable(
      "O_DIRECT refused for {}: its file system has no direct I/O; put the store on a real drive or read it "
      "through the page cache with direct=0",
      path);
}

}  // namespace

Result<StoreFiles> open_store_files(std::span<const std::string> paths, bool direct) {
  StoreFiles store;
  for (const std::string& path : paths) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | (direct ? O_DIRECT : 0));
    if (descriptor < 0) {
      const int error = errno;
      if (direct && error == EINVAL) {
        return no_direct_io(path);
      }
      return failed("cannot open store {}: {}", path, error_text(error));
    }
    FileHandle handle(descriptor);
    Result<uint64_t> bytes = file_size(path, handle);
    if (!bytes) {
      return propagate(bytes);
    }
    if (direct) {
      const uint64_t alignment = direct_alignment(handle);
      if (alignment == 0) {
        return no_direct_io(path);
      }
      store.alignment = std::max(store.alignment, alignment);
    }
    store.files.push_back({path, std::move(handle), *bytes});
  }
  return store;
}

ReadExtent read_extent(const StoreFiles& store, const ByteRange& range) {
  Expects(range.file < store.files.size());
  const uint64_t size = store.files[range.file].bytes;
  if (range.bytes == 0) {
    return {};
  }
  if (range.offset >= size) {
    return {.error = EINVAL};
  }
  const uint64_t need = std::min(range.bytes, size - range.offset);
  return {.ask = std::min(range.bytes, round_up(need, store.alignment)), .need = need};
}

}  // namespace spillway
