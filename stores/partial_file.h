#pragma once

#include <span>
#include <string>

#include "core/function_ref.h"
#include "host/file_calls.h"
#include "host/new_file.h"

namespace spillway {

// A store file under construction: it has its name once it is published, and is gone without that. Bypasses
// the page cache where the file system can, so blocks are multiples of 4096 bytes at multiples of 4096, from
// memory aligned so.
class PartialFile {
 public:
  // Fails while another process makes this file. Without `replace` a file of that name is an error, now and
  // when this one is published.
  static Result<PartialFile> create(const std::string& path, bool replace);

  const std::string& path() const { return file_.path(); }

  // Refuses a disk that has too little room, and takes the room.
  Result<void> reserve(uint64_t bytes);

  // Writes one block; the result is an errno. May be called by several threads at once.
  int write(std::span<const std::byte> block, uint64_t offset) const;

  // Writes bytes of any number and address, zeros behind them up to a multiple of 4096, by way of `memory`,
  // which is as blocks have to be.
  Result<void> write_padded(std::span<const std::byte> bytes, uint64_t offset,
                            std::span<std::byte> memory) const;

  // Gives the file its name; its bytes, and the name, are on the drive then.
  Result<void> publish() { return file_.publish(); }

 private:
  PartialFile(NewFile file, FileHandle claim, bool direct)
      : claim_(std::move(claim)), file_(std::move(file)), direct_(direct) {}

  FileHandle claim_;
  NewFile file_;
  bool direct_ = false;
};

// How many threads write a store: two keep the drive busy, since one makes or reads while the other writes.
inline constexpr uint32_t kStoreWriters = 2;

// Has each of so many threads, the calling one among them, call `work` with its number until that says false.
// The calling thread, whose number is 0, calls `between` after each of its turns, to report progress.
void share_writing(FunctionRef<bool(uint32_t writer)> work, FunctionRef<void()> between);

}  // namespace spillway
