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

// The files that a backend reads, opened.
struct StoreFiles {
  std::vector<StoreFile> files;
  uint64_t alignment = 1;  // what direct reads of every one of them need; 1 when buffered
};

// `direct` opens with O_DIRECT and is unavailable() where the file system refuses that.
Result<StoreFiles> open_store_files(std::span<const std::string> paths, bool direct);

// What a request comes to once its file's end is known. A range may end beyond it because it was rounded up
// to the alignment; a range that begins there is an error.
struct ReadExtent {
  uint64_t ask = 0;   // bytes to ask the kernel for, a multiple of the alignment
  uint64_t need = 0;  // bytes that must arrive, those the file has
  int error = 0;      // an errno when there is nothing to read
};
ReadExtent read_extent(const StoreFiles& store, const ByteRange& range);

}  // namespace spillway
