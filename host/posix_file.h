#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/result.h"

// Thin wrappers around the system calls on files. Files that are read from front to back, or written, have a
// reader and a writer of their own: host/file.h.
namespace spillway {

// Owns a file descriptor.
class FileHandle {
 public:
  FileHandle() = default;
  explicit FileHandle(int descriptor) : descriptor_(descriptor) {}
  FileHandle(FileHandle&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileHandle& operator=(FileHandle&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~FileHandle();

  int get() const { return descriptor_; }

 private:
  int descriptor_ = -1;
};

// Returns true if a call that failed with `error` should be made again: EINTR or EAGAIN.
bool is_transient(int error);

// Returns the meaning of an errno in words.
std::string error_text(int error);

// Calls open() with O_CLOEXEC. The error names the path.
Result<FileHandle> open_file(const std::string& path, int flags, unsigned mode = 0);

Result<uint64_t> file_size(const std::string& path, const FileHandle& file);

// Reads until `enough` bytes of `into` are there, the file ends, or an error occurs; retries EINTR and
// EAGAIN. `enough` is less than the size of `into` when a direct read ends in the file's last, partial block.
struct ReadOutcome {
  uint64_t bytes = 0;
  int error = 0;
};
ReadOutcome read_at(int descriptor, std::span<std::byte> into, uint64_t offset, uint64_t enough);
inline ReadOutcome read_at(int descriptor, std::span<std::byte> into, uint64_t offset) {
  return read_at(descriptor, into, offset, into.size());
}

// Writes all of `from`. Returns an errno, 0 for success.
int write_at(int descriptor, std::span<const std::byte> from, uint64_t offset);

// Returns the text of a small file such as those in /proc and /sys; nothing if it cannot be read.
std::optional<std::string> read_text(const std::string& path);

// Writes into an existing file in one call, as files in /sys require. Returns an errno, 0 for success.
int write_text(const std::string& path, std::string_view text);

}  // namespace spillway
