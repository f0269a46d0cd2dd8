#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "host/file_place.h"
#include "host/new_file.h"
#include "host/posix_file.h"

namespace spillway {

// A file, or a device or a pipe, that is being written from front to back. What is written reaches the kernel
// before the call returns. Until finish() a file goes away with the object, unless keep() said that what is
// there is worth having.
//
// A file of that name stays as it is until the new one takes its place (NewFile). Where the name is a link,
// this happens to the file that the link leads to, and the link stays. What is no file at all (a device, a
// pipe, /dev/stdout) is written to as it is.
class OutputFile {
 public:
  enum class Place {
    in_place,         // a recording: has its name at once, readable while it grows and after a crash
    rename_when_done  // a conversion: has its name from finish() on, so that `path` is never half a file
  };

  // Without `replace` an existing `path` is an error. A file that this user may not write is not replaced; of
  // one that is replaced the mode stays. May wait for the reader of a pipe, until interrupted().
  static Result<OutputFile> create(const std::string& path, Place place, bool replace);

  // What stdout is, behind what was printed to it.
  static Result<OutputFile> standard_output();

  // All of `bytes` or an error that names the path; a part that was written is taken back. Waits for the
  // reader of a pipe, until interrupted().
  Result<void> write(std::span<const uint8_t> bytes);
  Result<void> write(std::string_view text);

  // Fails when the file system has less room than so many bytes more.
  Result<void> check_room(uint64_t bytes) const;

  // Of a recording: it stays as it is when the object goes.
  void keep();

  // A file is on the drive before it takes its name, and its name is when this returns.
  Result<void> finish();

  uint64_t bytes_written() const { return bytes_written_; }
  const std::string& path() const { return path_; }

 private:
  OutputFile(std::string path, FileHandle stream) : path_(std::move(path)), stream_(std::move(stream)) {}
  explicit OutputFile(NewFile file) : path_(file.path()), file_(std::move(file)) {}

  const FileHandle& handle() const { return file_ ? file_->handle() : stream_; }
  void cut_back() const;

  std::string path_;
  FileHandle stream_;            // a device or a pipe, never to be cut or removed
  std::optional<NewFile> file_;  // or a file of our making
  uint64_t bytes_written_ = 0;
};

// A file that is being read from front to back or by position. Only regular files: their size bounds what a
// header may claim.
class InputFile {
 public:
  static Result<InputFile> open(const std::string& path);

  // Fills a prefix of `into` from `offset`, shorter only at the end of the file.
  Result<size_t> read_at(uint64_t offset, std::span<std::byte> into) const;
  Result<size_t> read_at(uint64_t offset, std::span<uint8_t> into) const {
    return read_at(offset, std::as_writable_bytes(into));
  }

  // Fills all of `into`; a file that ends before is an error.
  Result<void> read_exactly(uint64_t offset, std::span<std::byte> into) const;

  // Drops what was read there from the page cache: a file of gigabytes that is read once would push out of
  // memory what others have use for.
  void drop_cached(uint64_t offset, uint64_t bytes) const;

  uint64_t size() const { return size_; }  // when it was opened
  const std::string& path() const { return path_; }

 private:
  InputFile(std::string path, FileHandle handle, uint64_t size)
      : path_(std::move(path)), handle_(std::move(handle)), size_(size) {}

  std::string path_;
  FileHandle handle_;
  uint64_t size_ = 0;
};

Result<std::vector<InputFile>> open_inputs(const std::vector<std::string>& paths);

// Returns all that is in a file: text that somebody wrote, and no more than memory holds.
Result<std::string> read_whole(const std::string& path);

}  // namespace spillway
