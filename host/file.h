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

// A file, device or pipe that is written from front to back. Written bytes reach the kernel before the call
// returns. Before finish(), destroying the object removes the file, unless keep() was called.
//
// An existing file of the same name stays as it is until the new one takes its place (NewFile). If the name
// is a link, the file that the link leads to is replaced and the link stays. A target that is not a regular
// file (a device, a pipe, /dev/stdout) is written in place.
class OutputFile {
 public:
  enum class Place {
    in_place,         // a recording: has its name at once, readable while it grows and after a crash
    rename_when_done  // a conversion: has its name from finish() on, so `path` is never half a file
  };

  // Without `replace` an existing `path` is an error. A file that this user may not write is never
  // replaced. The new file gets the mode of the one it replaces. May wait for the reader of a pipe,
  // until interrupted().
  static Result<OutputFile> create(const std::string& path, Place place, bool replace);

  // Returns the stdout of the process, after writing out what was printed to it.
  static Result<OutputFile> standard_output();

  // Writes all of `bytes`, or fails with an error that names the path; a partly written block is taken back
  // out of a file. Waits for the reader of a pipe, until interrupted().
  Result<void> write(std::span<const uint8_t> bytes);
  Result<void> write(std::string_view text);

  // Fails when the file system has no room for `bytes` more bytes.
  Result<void> check_room(uint64_t bytes) const;

  // Keeps a recording as it is when the object is destroyed.
  void keep();

  // Finishes writing. When it returns, the file's bytes and then its name are on the drive.
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
  std::optional<NewFile> file_;  // set instead of stream_ for a regular file
  uint64_t bytes_written_ = 0;
};

// A file that is read from front to back or by position. Only regular files are accepted: their size bounds
// the lengths that a header may claim.
class InputFile {
 public:
  static Result<InputFile> open(const std::string& path);

  // Fills `into` from `offset` and returns the bytes read: fewer than asked for only at the end of the file.
  Result<size_t> read_at(uint64_t offset, std::span<std::byte> into) const;
  Result<size_t> read_at(uint64_t offset, std::span<uint8_t> into) const {
    return read_at(offset, std::as_writable_bytes(into));
  }

  // Fills all of `into`; fails if the file ends before.
  Result<void> read_exactly(uint64_t offset, std::span<std::byte> into) const;

  // Drops a range that was read from the page cache. A file of gigabytes that is read once would otherwise
  // push out data that other programs use.
  void drop_cached(uint64_t offset, uint64_t bytes) const;

  uint64_t size() const { return size_; }  // in bytes, when the file was opened
  const std::string& path() const { return path_; }

 private:
  InputFile(std::string path, FileHandle handle, uint64_t size)
      : path_(std::move(path)), handle_(std::move(handle)), size_(size) {}

  std::string path_;
  FileHandle handle_;
  uint64_t size_ = 0;
};

Result<std::vector<InputFile>> open_inputs(const std::vector<std::string>& paths);

// Returns the whole content of a text file. Fails above 1 GiB.
Result<std::string> read_whole(const std::string& path);

}  // namespace spillway
