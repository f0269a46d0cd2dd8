#pragma once

#include <span>
#include <string>

#include "core/function_ref.h"
#include "host/file_calls.h"
#include "host/new_file.h"

namespace spillway {

// A store file under construction. It gets its name when it is published; unpublished, it is removed with the
// object. Bypasses the page cache if the file system allows it, so blocks must be multiples of 4096 bytes, at
// offsets and addresses that are multiples of 4096.
class PartialFile {
 public:
  // Fails while another process makes this file. Without `replace`, an existing file of that name is an
  // error, both now and in publish().
  static Result<PartialFile> create(const std::string& path, bool replace);

  const std::string& path() const { return file_.path(); }

  // Reserves room for `bytes` bytes. Fails if the disk has too little.
  Result<void> reserve(uint64_t bytes);

  // Writes one block. Returns an errno, 0 for success. Several threads may call it at the same time.
  int write(std::span<const std::byte> block, uint64_t offset) const;

  // Writes bytes of any number and address, padded with zeros to a multiple of 4096. Copies them through
  // `memory`, which must be aligned as blocks are.
  Result<void> write_padded(std::span<const std::byte> bytes, uint64_t offset,
                            std::span<std::byte> memory) const;

  // Gives the file its name. Afterwards its bytes and its name are on the drive.
  Result<void> publish() { return file_.publish(); }

 private:
  PartialFile(NewFile file, FileHandle claim, bool direct)
      : claim_(std::move(claim)), file_(std::move(file)), direct_(direct) {}

  FileHandle claim_;
  NewFile file_;
  bool direct_ = false;
};

// Number of threads that write a store. Two keep the drive busy: one makes or reads data
// while the other writes.
inline constexpr uint32_t kStoreWriters = 2;

// Runs kStoreWriters threads, the calling one among them, each of which calls `work` with its number
// until `work` returns false. The calling thread, whose number is 0, calls `between` after each of its
// turns, to report progress.
void share_writing(FunctionRef<bool(uint32_t writer)> work, FunctionRef<void()> between);

}  // namespace spillway
