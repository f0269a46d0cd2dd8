#pragma once

#include <vector>

#include "backends/store_files.h"
#include "host/mapped_name.h"

namespace spillway {

// Maps a store's files read-only, each at an address that is a multiple of 2 MiB, so that huge pages are
// possible. Thread-safe.
class MappedFiles {
 public:
  // Maps every file of `store`, which the object takes over.
  static Result<MappedFiles> map(StoreFiles store);

  MappedFiles(MappedFiles&& other) noexcept = default;
  MappedFiles& operator=(MappedFiles&&) = delete;
  ~MappedFiles();

  const StoreFiles& store() const { return store_; }
  const std::byte* at(const ByteRange& range) const { return bases_[range.file] + range.offset; }

  // Calls madvise() on every file as a whole. Returns an errno, 0 for success.
  int advise_all(int advice) const;

  // Calls madvise() on the pages of `range`, widened to whole multiples of `unit`. Returns an
  // errno, 0 for success.
  int advise(const ByteRange& range, int advice, uint64_t unit) const;

  // Reads a byte of each page of `range`, which faults in the missing pages. Returns an errno: EIO where a
  // plain access would end in SIGBUS, that is, if the drive fails or the file has shrunk.
  int touch(const ByteRange& range) const;

  // Returns how many bytes of the mapping around `range` huge pages map at this moment. Slow:
  // reads /proc/self/smaps.
  uint64_t huge_mapped_bytes(const ByteRange& range) const;

  // Gives back the memory of the whole pages inside `range`, in the mapping and in the page cache. The
  // partial pages at its ends may hold bytes of a neighbour and stay in the page cache. If the range has 64
  // KiB or more, its partial pages and the pages that faults have mapped around it are also unmapped; they
  // are mapped again when they are touched.
  void release(const ByteRange& range) const;

 private:
  explicit MappedFiles(StoreFiles store) : store_(std::move(store)) {}

  StoreFiles store_;
  std::vector<std::byte*> bases_;  // parallel to store_.files; nullptr for an empty file
  std::vector<MappedName> names_;
};

}  // namespace spillway
