#include "host/posix_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "core/units.h"

namespace spillway {
namespace {

// One system call moves at most 2^31 - 4096 bytes; a whole GiB keeps every alignment.
constexpr uint64_t kLongestTransfer = kGiB;

}  // namespace

bool is_transient(int error) {
  return error == EINTR || error == EAGAIN;
}

FileHandle::~FileHandle() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

std::string error_text(int error) {
  return std::generic_category().message(error);
}

Result<FileHandle> open_file(const std::string& path, int flags, unsigned mode) {
  // Opening a pipe for reading would otherwise wait for its other end; the flag has no
  // effect on regular files.
  const int waiting = (flags & O_ACCMODE) == O_RDONLY ? O_NONBLOCK : 0;
  const int descriptor = ::open(path.c_str(), flags | waiting | O_CLOEXEC, mode_t(mode));
  if (descriptor < 0) {
    return failed("cannot open {}: {}", path, error_text(errno));
  }
  return FileHandle(descriptor);
}

Result<uint64_t> file_size(const std::string& path, const FileHandle& file) {
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) {
    return failed("cannot find out the size of {}: {}", path, error_text(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return failed("{} is not a regular file", path);
  }
  return uint64_t(status.st_size);
}

ReadOutcome read_at(int descriptor, std::span<std::byte> into, uint64_t offset, uint64_t enough) {
  ReadOutcome outcome;
  while (outcome.bytes < enough) {
    const uint64_t wanted = std::min(kLongestTransfer, into.size() - outcome.bytes);
    const ssize_t got =
        ::pread(descriptor, into.data() + outcome.bytes, wanted, off_t(offset + outcome.bytes));
    if (got > 0) {
      outcome.bytes += uint64_t(got);
    } else if (got == 0) {
      break;
    } else if (!is_transient(errno)) {
      outcome.error = errno;
      break;
    }
  }
  return outcome;
}

int write_at(int descriptor, std::span<const std::byte> from, uint64_t offset) {
  while (!from.empty()) {
    const ssize_t put =
        ::pwrite(descriptor, from.data(), std::min<uint64_t>(kLongestTransfer, from.size()), off_t(offset));
    if (put > 0) {
      from = from.subspan(size_t(put));
      offset += uint64_t(put);
    } else if (put == 0) {
      return EIO;
    } else if (!is_transient(errno)) {
      return errno;
    }
  }
  return 0;
}

std::optional<std::string> read_text(const std::string& path) {
  Result<FileHandle> file = open_file(path, O_RDONLY);
  if (!file) {
    return std::nullopt;
  }
  std::string text;
  std::array<char, 4096> piece;
  while (true) {
    const ssize_t got = ::read(file->get(), piece.data(), piece.size());
    if (got > 0) {
      text.append(piece.data(), size_t(got));
    } else if (got == 0) {
      return text;
    } else if (!is_transient(errno)) {
      return std::nullopt;
    }
  }
}

int write_text(const std::string& path, std::string_view text) {
  const FileHandle file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file.get() < 0) {
    return errno;
  }
  const ssize_t put = ::write(file.get(), text.data(), text.size());
  return put < 0 ? errno : 0;
}

}  // namespace spillway
