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
#include "host/file.h"

namespace spillway {

static_assert(std::endian::native == std::endian::little, "GGUF fields are read as they lie in the file");

// Reads the fields of a GGUF file's head one after the other, in blocks. The first error is kept: every later
// field is then zero or empty, and the caller checks problem() before it relies on what was read.
class GgufCursor {
 public:
  // The most that a head may take. Heads of real models take some 10 MB; a longer one is a sign of damage,
  // which must not cost hours or all memory in a file of a hundred gigabytes.
  static constexpr uint64_t kMostHeadBytes = uint64_t(256) << 20;

  static Result<std::unique_ptr<GgufCursor>> open(const std::string& path);
  GgufCursor(const GgufCursor&) = delete;
  GgufCursor& operator=(const GgufCursor&) = delete;

  const std::string& path() const { return file_.path(); }
  uint64_t file_size() const { return file_.size(); }
  uint64_t position() const { return position_; }
  uint64_t remaining() const { return limit_ - position_; }  // bytes that the head may still take
  const std::optional<Error>& problem() const { return problem_; }

  // Reads a number. `what` names the field in the error message if the file ends within it.
  template <class T>
  requires std::is_arithmetic_v<T> T number(const char* what) {
    T value{};
    read(std::as_writable_bytes(std::span(&value, 1)), what);
    return value;
  }

  // Reads a length, then a text of that many bytes. A length above `most` is an error.
  std::string text(uint64_t most, const char* what);

  // Returns whether `count` elements of at least `least` bytes each can follow; if not,
  // that is kept as the problem.
  bool has_bytes_for(uint64_t count, uint64_t least, const char* what);

  // Reads `count` bytes. The caller has checked them with has_bytes_for().
  std::vector<std::byte> bytes(uint64_t count, const char* what);

  // Keeps `message` as the problem, behind the path and the offset of the latest field, unless there is a
  // problem already.
  void fail(const std::string& message);

 private:
  explicit GgufCursor(InputFile file);

  void read(std::span<std::byte> into, const char* what);
  bool fill_block(const char* what);
  void fail_at_end(const char* what);

  const InputFile file_;
  const uint64_t limit_;
  uint64_t position_ = 0;
  uint64_t field_ = 0;  // where the latest field begins
  std::optional<Error> problem_;
  std::vector<std::byte> block_;
  uint64_t block_begin_ = 0;  // offset in the file
  uint64_t block_bytes_ = 0;
};

}  // namespace spillway
