#include "host/file_calls.h"

#include <fcntl.h>
#include <unistd.h>

namespace spillway {

void advise_sequential([[maybe_unused]] const FileHandle& file) {
#ifdef POSIX_FADV_SEQUENTIAL
  ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
#endif
}

void drop_cached([[maybe_unused]] const FileHandle& file, [[maybe_unused]] uint64_t offset,
                 [[maybe_unused]] uint64_t bytes) {
#ifdef POSIX_FADV_DONTNEED
  ::posix_fadvise(file.get(), off_t(offset), off_t(bytes), POSIX_FADV_DONTNEED);
#endif
}

}  // namespace spillway
