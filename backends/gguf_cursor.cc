#include "backends/gguf_cursor.h"

#include <algorithm>

namespace spillway {

std::string GgufCursor::text(uint64_t most, const char* what) {
  const uint64_t length = number<uint64_t>(what);
  if (!problem_ && length > most) {
    fail(fmt::format("a {} of {} bytes; at most {} are possible", what, length, most));
  }
  if (problem_) {
    return {};
  }
  std::string value(length, '\0');
  read(value.data(), length, what);
  return value;
}

void GgufCursor::skip(uint64_t bytes, const char* what) {
  if (problem_) {
    return;
  }
  if (bytes > remaining()) {
    fail(fmt::format("{} of {} bytes, but the file ends {} bytes on", what, bytes, remaining()));
    return;
  }
  position_ += bytes;
}

void GgufCursor::fail(const std::string& message) {
  if (!problem_) {
    problem_ = Error{ErrorKind::failed, fmt::format("{}: offset {}: {}", path_, position_, message)};
  }
}

void GgufCursor::read(void* into, uint64_t bytes, const char* what) {
  if (problem_) {
    return;
  }
  if (bytes > remaining()) {
    fail(fmt::format("the file ends within {}", what));
    return;
  }
  auto* out = static_cast<std::byte*>(into);
  while (bytes > 0) {
    if (position_ < block_begin_ || position_ >= block_begin_ + block_bytes_) {
      const ReadOutcome got = read_at(file_.get(), block_, position_);
      if (got.bytes == 0) {
        fail(got.error != 0 ? error_text(got.error) : fmt::format("the file ends within {}", what));
        return;
      }
      block_begin_ = position_;
      block_bytes_ = got.bytes;
    }
    const uint64_t within = position_ - block_begin_;
    const uint64_t piece = std::min(bytes, block_bytes_ - within);
    std::memcpy(out, block_.data() + within, piece);
    out += piece;
    position_ += piece;
    bytes -= piece;
  }
}

}  // namespace spillway
