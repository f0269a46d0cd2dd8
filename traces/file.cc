#include "traces/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace spillway {
namespace {

std::string reason(int error) {
  return std::strerror(error);
}

bool exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

Unexpected cannot_create(const std::string& path, int error) {
  if (error == EEXIST) {
    return failed("{}: exists already; choose another name or give --force to replace it", path);
  }
  return failed("{}: cannot be created: {}", path, reason(error));
}

}  // namespace

Result<OutputFile> OutputFile::create(const std::string& path, Place place, bool replace) {
  struct stat status {};
  const bool is_there = ::stat(path.c_str(), &status) == 0;
  if (path.empty() || (is_there && S_ISDIR(status.st_mode))) {
    return cannot_create(path, path.empty() ? ENOENT : EISDIR);
  }
  if (!replace && exists(path)) {
    return cannot_create(path, EEXIST);
  }
  // A device, a pipe or a link is written to: a file that took its name would not be what was meant.
  struct stat own {};
  const bool plain = ::lstat(path.c_str(), &own) != 0 || S_ISREG(own.st_mode);
  const bool rename_later = place == Place::rename_when_done && plain;
  const std::string written_path = rename_later ? path + ".partial" : path;
  // A .partial that is there is what a killed run left: it is ours to replace.
  const int exclusive = rename_later || replace ? O_TRUNC : O_EXCL;
  const int fd = ::open(written_path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | exclusive, 0666);
  if (fd < 0) {
    return cannot_create(path, errno);
  }
  return OutputFile(path, written_path, fd, replace);
}

OutputFile::OutputFile(std::string path, std::string written_path, int fd, bool replace)
    : path_(std::move(path)), written_path_(std::move(written_path)), fd_(fd), replace_(replace) {
  struct stat status {};
  regular_ = ::lstat(written_path_.c_str(), &status) == 0 && S_ISREG(status.st_mode);
  if (regular_ && written_path_ != path_) {
    on_sudden_end_ = OnSuddenEnd({{EndStep::Kind::unlink, written_path_}});
  }
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      written_path_(std::move(other.written_path_)),
      fd_(std::exchange(other.fd_, -1)),
      replace_(other.replace_),
      keep_(other.keep_),
      regular_(other.regular_),
      bytes_written_(other.bytes_written_),
      on_sudden_end_(std::move(other.on_sudden_end_)) {}

OutputFile::~OutputFile() {
  if (fd_ < 0) {
    return;
  }
  ::close(fd_);
  if (!keep_ && regular_) {
    ::unlink(written_path_.c_str());
  }
}

Result<void> OutputFile::write(std::span<const uint8_t> bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::write(fd_, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count <= 0) {
      const int error = count == 0 ? EIO : errno;
      if (regular_ && ::ftruncate(fd_, off_t(bytes_written_)) == 0) {
        ::lseek(fd_, off_t(bytes_written_), SEEK_SET);
      }
      return failed("{}: cannot write at offset {}: {}", written_path_, bytes_written_ + done, reason(error));
    }
    done += size_t(count);
  }
  bytes_written_ += bytes.size();
  return {};
}

Result<void> OutputFile::write(std::string_view text) {
  return write(std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

Result<void> OutputFile::finish() {
  // Some file systems tell only now that there was no room.
  if (::close(std::exchange(fd_, -1)) != 0) {
    const int error = errno;
    if (!keep_ && regular_) {
      ::unlink(written_path_.c_str());
    }
    return failed("{}: cannot be closed: {}", written_path_, reason(error));
  }
  if (written_path_ == path_) {
    return {};
  }
  const unsigned flags = replace_ ? 0 : RENAME_NOREPLACE;
  int outcome = ::renameat2(AT_FDCWD, written_path_.c_str(), AT_FDCWD, path_.c_str(), flags);
  if (outcome != 0 && errno == EINVAL) {  // a file system that cannot promise not to replace
    outcome = ::rename(written_path_.c_str(), path_.c_str());
  }
  if (outcome != 0) {
    const int error = errno;
    ::unlink(written_path_.c_str());
    return cannot_create(path_, error);
  }
  return {};
}

Result<InputFile> InputFile::open(const std::string& path) {
  // Opening a pipe would otherwise wait for its other end.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    return failed("{}: cannot be opened: {}", path, reason(errno));
  }
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd);
    return failed("{}: not a regular file", path);
  }
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  return InputFile(path, fd, uint64_t(status.st_size));
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}

InputFile::~InputFile() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

Result<size_t> InputFile::read_at(uint64_t offset, std::span<uint8_t> into) const {
  size_t done = 0;
  while (done < into.size()) {
    const ssize_t count = ::pread(fd_, into.data() + done, into.size() - done, off_t(offset + done));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return failed("{}: cannot be read at offset {}: {}", path_, offset + done, reason(errno));
    }
    if (count == 0) {
      break;
    }
    done += size_t(count);
  }
  return done;
}

}  // namespace spillway
