#pragma once

#include <atomic>
#include <span>
#include <string>

#include "core/function_ref.h"
#include "host/posix_file.h"
#include "host/sudden_end.h"

namespace spillway {

// A store file under construction, `path`.partial: it is removed again, also by a signal that ends the
// process at once, unless it is published. Bypasses the page cache where the file system can, so blocks are
// multiples of 4096 bytes at multiples of 4096, from memory aligned so.
class PartialFile {
 public:
  static Result<PartialFile> create(const std::string& path) { return create(path, true); }

  PartialFile(PartialFile&& other) noexcept;
  PartialFile& operator=(PartialFile&&) = delete;
  ~PartialFile();

  const std::string& path() const { return path_; }
  std::string name() const { return path_ + ".partial"; }

  // Refuses a disk that has too little room, and takes the room.
  Result<void> reserve(uint64_t bytes);

  // Writes one block; the result is an errno. May be called by several threads at once.
  int write(std::span<const std::byte> block, uint64_t offset) const;

  // Writes bytes of any number and address, zeros behind them up to a multiple of 4096, by way of `memory`,
  // which is as blocks have to be.
  Result<void> write_padded(std::span<const std::byte> bytes, uint64_t offset,
                            std::span<std::byte> memory) const;

  // Gives the file, whose bytes are on disk then, its name. Without `replace` a file that has it is an error.
  Result<void> publish(bool replace = true);

 private:
  PartialFile() = default;
  static Result<PartialFile> create(const std::string& path, bool direct);

  std::string path_;
  FileHandle file_;
  bool direct_ = false;
  bool made_ = false;
  OnSuddenEnd on_sudden_end_;
};

// How many threads write a store: two keep the drive busy, since one makes or reads while the other writes.
inline constexpr uint32_t kStoreWriters = 2;

// Has each of so many threads, the calling one among them, call `work` with its number until that says false.
// The calling thread, whose number is 0, calls `between` after each of its turns, to report progress.
void share_writing(FunctionRef<bool(uint32_t writer)> work, FunctionRef<void()> between);

}  // namespace spillway
