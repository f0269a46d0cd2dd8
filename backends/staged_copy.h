#pragma once

#include <vector>

#include "backends/store_files.h"
#include "host/linux/page_memory.h"

namespace spillway {

// Copies a store's files into memory of huge pages, each file at a multiple of 2 MiB.
class StagedCopy {
 public:
  // Reads all files with `threads` threads. The error is unavailable() if there is not enough free memory.
  static Result<StagedCopy> make(const StoreFiles& store, uint32_t threads);

  const PageMemory& memory() const { return memory_; }
  const std::byte* at(const ByteRange& range) const {
    return memory_.bytes().data() + bases_[range.file] + range.offset;
  }

 private:
  Result<void> fill(const StoreFiles& store, uint32_t threads);

  PageMemory memory_;
  std::vector<uint64_t> bases_;  // where each file begins in memory_
};

}  // namespace spillway
