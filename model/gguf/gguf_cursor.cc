#include "model/gguf/gguf_cursor.h"

#include <algorithm>
#include <cstring>

namespace spillway {
namespace {

constexpr size_t kBlockBytes = size_t(64) << 10;

}  // namespace

Result<std::unique_ptr<GgufCursor>> GgufCursor::open(const std::string& path) {
  Result<InputFile> file = InputFile::open(path);
  if (!file) {
    return propagate(file);
  }
  return std::unique_ptr<GgufCursor>(new GgufCursor(std::move(*file)));
}

GgufCursor::GgufCursor(InputFile file)
    : file_(std::move(file)), limit_(std::min(file_.size(), kMostHeadBytes)), block_(kBlockBytes) {}

std::string GgufCursor::text(uint64_t most, const char* what) {
  const uint64_t length = number<uint64_t>(what);
  if (length > most) {
    fail(fmt::format("{} has {} bytes; at most {} are allowed", what, length, most));
  }
  if (!has_bytes_for(length, 1, what)) {
    return {};
  }
  std::string value(length, '\0');
  read(std::as_writable_bytes(std::span(value)), what);
  return value;
}

bool GgufCursor::has_bytes_for(uint64_t count, uint64_t least, const char* what) {
  if (!problem_ && count > remaining() / least) {
    fail(fmt::format("{} of length {} needs {} bytes or more, but {}", what, count,
                     count > UINT64_MAX / least ? "2^64" : fmt::format("{}", count * least),
                     limit_ < file_.size() ? fmt::format("a head has at most {}", kMostHeadBytes)
                                           : fmt::format("the file ends {} bytes on", remaining())));
  }
  return !problem_;
}

std::vector<std::byte> GgufCursor::bytes(uint64_t count, const char* what) {
  if (problem_) {
    return {};
  }
  std::vector<std::byte> value(count);
  read(value, what);
  return value;
}

void GgufCursor::fail(const std::string& message) {
  if (!problem_) {
    problem_ = Error{ErrorKind::failed, fmt::format("{}: offset {}: {}", path(), field_, message)};
  }
}

void GgufCursor::fail_at_end(const char* what) {
  fail(limit_ < file_.size()
           ? fmt::format("{} lies beyond the {} bytes that a head may take", what, kMostHeadBytes)
           : fmt::format("the file ends within {}", what));
}

void GgufCursor::read(std::span<std::byte> into, const char* what) {
  if (problem_) {
    return;
  }
  field_ = position_;
  if (into.size() > remaining()) {
    fail_at_end(what);
    return;
  }
  while (!into.empty()) {
    if (position_ == block_begin_ + block_bytes_ && !fill_block(what)) {
      // An incomplete field reads as zero.
      std::fill(into.begin(), into.end(), std::byte{0});
      return;
    }
    const uint64_t within = position_ - block_begin_;
    const size_t piece = std::min(into.size(), size_t(block_bytes_ - within));
    std::memcpy(into.data(), block_.data() + within, piece);
    into = into.subspan(piece);
    position_ += piece;
  }
}

// Reads the block that follows the current one. Returns false after an error, which includes a file that has
// become shorter meanwhile.
bool GgufCursor::fill_block(const char* what) {
  Result<size_t> got = file_.read_at(position_, std::span(block_));
  if (!got) {
    problem_ = std::move(got.error());
  } else if (*got == 0) {
    fail_at_end(what);
  }
  block_begin_ = position_;
  block_bytes_ = got.value_or(0);
  return block_bytes_ > 0;
}

}  // namespace spillway
