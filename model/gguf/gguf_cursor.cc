#include "model/gguf/gguf_cursor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace spillway {
namespace {

constexpr size_t kBlockBytes = size_t(64) << 10;

std::string reason(int error) {
  return std::generic_category().message(error);
}

}  // namespace

Result<std::unique_ptr<GgufCursor>> GgufCursor::open(const std::string& path) {
  // Opening a pipe would otherwise wait for its other end.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    return failed("cannot open {}: {}", path, reason(errno));
  }
  struct stat facts = {};
  const int error = ::fstat(descriptor, &facts) == 0 ? 0 : errno;
  if (error != 0 || !S_ISREG(facts.st_mode)) {
    ::close(descriptor);
    return error != 0 ? failed("cannot tell the size of {}: {}", path, reason(error))
                      : failed("{} is not a regular file", path);
  }
  return std::unique_ptr<GgufCursor>(new GgufCursor(path, descriptor, uint64_t(facts.st_size)));
}

GgufCursor::GgufCursor(std::string path, int descriptor, uint64_t size)
    : path_(std::move(path)),
      descriptor_(descriptor),
      size_(size),
      limit_(std::min(size, kMostHeadBytes)),
      block_(kBlockBytes) {}

GgufCursor::~GgufCursor() {
  ::close(descriptor_);
}

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
                     limit_ < size_ ? fmt::format("a head has at most {}", kMostHeadBytes)
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
    problem_ = Error{ErrorKind::failed, fmt::format("{}: offset {}: {}", path_, field_, message)};
  }
}

void GgufCursor::fail_at_end(const char* what) {
  fail(limit_ < size_ ? fmt::format("{} lies beyond the {} bytes that a head may take", what, kMostHeadBytes)
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
  ssize_t got = 0;
  do {
    got = ::pread(descriptor_, block_.data(), block_.size(), off_t(position_));
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    fail(fmt::format("cannot read: {}", reason(errno)));
  } else if (got == 0) {
    fail_at_end(what);
  }
  block_begin_ = position_;
  block_bytes_ = uint64_t(std::max<ssize_t>(got, 0));
  return got > 0;
}

}  // namespace spillway
