#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <type_traits>

#include "backends/posix_file.h"

namespace spillway {

// Reads little-endian fields from a file one after the other, in blocks. The first thing that goes wrong is
// kept: from there on every field is zero, and the caller looks at problem() where it matters.
class GgufCursor {
 public:
  GgufCursor(std::string path, const FileHandle& file, uint64_t size)
      : path_(std::move(path)), file_(file), size_(size) {}

  uint64_t position() const { return position_; }
  uint64_t size() const { return size_; }
  uint64_t remaining() const { return size_ - position_; }
  const std::optional<Error>& problem() const { return problem_; }

  // `what` names the field in the error when the file ends before it does.
  template <class T>
  requires std::is_trivially_copyable_v<T> T number(const char* what) {
    T value{};
    read(&value, sizeof value, what);
    return value;
  }

  // A length and so many bytes; longer than `most` is a problem.
  std::string text(uint64_t most, const char* what);

  void skip(uint64_t bytes, const char* what);
  void skip_text(const char* what) { skip(number<uint64_t>(what), what); }

  // Keeps `message`, unless there is a problem already, with the path and the offset in front of it.
  void fail(const std::string& message);

 private:
  void read(void* into, uint64_t bytes, const char* what);

  const std::string path_;
  const FileHandle& file_;
  const uint64_t size_;
  uint64_t position_ = 0;
  std::optional<Error> problem_;
  std::array<std::byte, 64 * 1024> block_;
  uint64_t block_begin_ = 0;  // offset in the file
  uint64_t block_bytes_ = 0;
};

}  // namespace spillway
