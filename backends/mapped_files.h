#pragma once

#include <vector>

#include "backends/store_files.h"

namespace spillway {

// A store's files mapped read-only, each at an address that is a multiple of 2 MiB, so that huge pages can
// map it. Thread-safe.
class MappedFiles {
 public:
  static Result<MappedFiles> map(StoreFiles store);

  MappedFiles(MappedFiles&& other) noexcept = default;
  MappedFiles& operator=(MappedFiles&&) = delete;
  ~MappedFiles();

  const StoreFiles& store() const { return store_; }
  const std::byte* at(const ByteRange& range) const { return bases_[range.file] + range.offset; }

  // madvise() of whole files; the result is an errno.
  int advise_all(int advice) const;

  // madvise() of the pages of `range`, widened to whole `unit`s; the result is an errno.
  int advise(const ByteRange& range, int advice, uint64_t unit) const;

  // Reads a byte of each page of `range`, which faults in those that are not there. The result is an errno:
  // what would be a SIGBUS, that is, a failing drive or a file that has shrunk, is EIO.
  int touch(const ByteRange& range) const;

  // How much of the mapping around `range` is by huge pages at this moment. Slow: reads /proc/self/smaps.
  uint64_t huge_mapped_bytes(const ByteRange& range) const;

  // Gives the memory of the whole pages inside `range` back: here and in the page cache. The partial pages at
  // its ends may hold bytes of a neighbour and stay in the page cache. Those of a range of 64 KiB or more,
  // and what faults have mapped around it, are mapped again when they are touched.
  void release(const ByteRange& range) const;

 private:
  explicit MappedFiles(StoreFiles store) : store_(std::move(store)) {}

  StoreFiles store_;
  std::vector<std::byte*> bases_;  // parallel to store_.files; nullptr for an empty file
};

}  // namespace spillway
