#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/ports.h"
#include "host/posix_file.h"

namespace spillway {

struct StoreFile {
  std::string path;
  FileHandle handle;
  uint64_t bytes = 0;
};

// The opened files of a store that a backend reads.
struct StoreFiles {
  std::vector<StoreFile> files;
  uint64_t alignment = 1;  // the largest that direct reads of any file need; 1 for buffered reads
};

// Opens the files; `direct` uses O_DIRECT. The error is unavailable() if the file system refuses direct I/O.
Result<StoreFiles> open_store_files(std::span<const std::string> paths, bool direct);

// The bytes that a request has to read, given the end of its file. A range may end beyond the end of the file
// because it was rounded up to the alignment. A range that begins at or beyond the end is an error.
struct ReadExtent {
  uint64_t ask = 0;   // bytes to ask the kernel for, a multiple of the alignment
  uint64_t need = 0;  // bytes that must arrive: those that the file has
  int error = 0;      // errno; EINVAL if the range begins beyond the file's end
};
ReadExtent read_extent(const StoreFiles& store, const ByteRange& range);

}  // namespace spillway
