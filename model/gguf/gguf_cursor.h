#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "core/result.h"

namespace spillway {

static_assert(std::endian::native == std::endian::little, "GGUF fields are read as they lie in the file");

// Reads the fields of a GGUF's head one after the other, in blocks. The first thing that goes wrong is kept:
// from there on every field is zero or empty, and the caller looks at problem() where it matters.
class GgufCursor {
 public:
  // Heads of real models take some 10 MB. More than this is damage, which must not cost hours or all memory
  // in a file of a hundred gigabytes.
  static constexpr uint64_t kMostHeadBytes = uint64_t(256) << 20;

  static Result<std::unique_ptr<GgufCursor>> open(const std::string& path);
  GgufCursor(const GgufCursor&) = delete;
  GgufCursor& operator=(const GgufCursor&) = delete;
  ~GgufCursor();

  const std::string& path() const { return path_; }
  uint64_t file_size() const { return size_; }
  uint64_t position() const { return position_; }
  uint64_t remaining() const { return limit_ - position_; }  // that a head may still take
  const std::optional<Error>& problem() const { return problem_; }

  // `what` names the field in the error when the file ends before it does.
  template <class T>
  requires std::is_arithmetic_v<T> T number(const char* what) {
    T value{};
    read(std::as_writable_bytes(std::span(&value, 1)), what);
    return value;
  }

  // A length and so many bytes; longer than `most` is a problem.
  std::string text(uint64_t most, const char* what);

  // True when `count` things of at least `least` bytes each can follow; else it is a problem.
  bool has_bytes_for(uint64_t count, uint64_t least, const char* what);

  // So many bytes, which has_bytes_for() has seen.
  std::vector<std::byte> bytes(uint64_t count, const char* what);

  // Keeps `message`, unless there is a problem already, with the path and the offset of the latest field in
  // front of it.
  void fail(const std::string& message);

 private:
  GgufCursor(std::string path, int descriptor, uint64_t size);

  void read(std::span<std::byte> into, const char* what);
  bool fill_block(const char* what);
  void fail_at_end(const char* what);

  const std::string path_;
  const int descriptor_;
  const uint64_t size_;
  const uint64_t limit_;
  uint64_t position_ = 0;
  uint64_t field_ = 0;  // where the latest field begins
  std::optional<Error> problem_;
  std::vector<std::byte> block_;
  uint64_t block_begin_ = 0;  // offset in the file
  uint64_t block_bytes_ = 0;
};

}  // namespace spillway
