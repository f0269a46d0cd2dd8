#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/result.h"

// The few lines between the system calls on files and everybody else. Files that are read from front to back,
// or written, have a reader and a writer of their own: host/file.h.
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

// Whether a call that failed so is to be made again.
bool is_transient(int error);

// What an errno means, in words.
std::string error_text(int error);

// open() with O_CLOEXEC; the error names the path.
Result<FileHandle> open_file(const std::string& path, int flags, unsigned mode = 0);

Result<uint64_t> file_size(const std::string& path, const FileHandle& file);

// Reads until `enough` bytes of `into` are there, the file ends or an error comes up; EINTR and EAGAIN are
// tried again. `enough` is less than the whole where a direct read ends in the file's last, partial block.
struct ReadOutcome {
  uint64_t bytes = 0;
  int error = 0;
};
ReadOutcome read_at(int descriptor, std::span<std::byte> into, uint64_t offset, uint64_t enough);
inline ReadOutcome read_at(int descriptor, std::span<std::byte> into, uint64_t offset) {
  return read_at(descriptor, into, offset, into.size());
}

// Writes all of `from`; the result is an errno, 0 when all was written.
int write_at(int descriptor, std::span<const std::byte> from, uint64_t offset);

// The text of a small file such as those in /proc and /sys; nothing when it cannot be read.
std::optional<std::string> read_text(const std::string& path);

// Writes into a file that exists, as the files of /sys want it; the result is an errno.
int write_text(const std::string& path, std::string_view text);

}  // namespace spillway
