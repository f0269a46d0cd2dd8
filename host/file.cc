#include "host/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>

#include "core/units.h"
#include "host/file_calls.h"
#include "host/interrupt.h"

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
  if (error == EINTR || (error == ENXIO && interrupted())) {
    return failed("{}: nobody reads from it, and waiting for a reader was interrupted", path);
  }
  return failed("{}: cannot be created: {}", path, reason(error));
}

// The number in a name like /dev/fd/3. Opening the name of a file that stdout was sent to would be another
// beginning of that file; what is open there is written to where it stands.
std::optional<int> descriptor_named(std::string_view path) {
  if (path == "/dev/stdout" || path == "/dev/stderr") {
    return path == "/dev/stdout" ? STDOUT_FILENO : STDERR_FILENO;
  }
  for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
    int number = 0;
    const char* end = path.data() + path.size();
    if (path.starts_with(folder) &&
        std::from_chars(path.data() + folder.size(), end, number) == std::from_chars_result{end, {}}) {
      return number;
    }
  }
  return std::nullopt;
}

// The name that `path` leads to, whether there is a file of that name or not. Stops at names of descriptors.
Result<std::string> end_of_links(const std::string& path) {
  constexpr int kMostLinks = 40;  // as many as the kernel follows
  std::filesystem::path at = path;
  for (int links = 0; links <= kMostLinks; ++links) {
    std::error_code no_link;
    const std::filesystem::path next = std::filesystem::read_symlink(at, no_link);
    if (no_link || descriptor_named(at.native())) {
      return at.native();
    }
    at = at.parent_path() / next;
  }
  return cannot_create(path, ELOOP);
}

// False, and errno says why, when what was written to `fd` cannot be kept. That a file system knows no such
// thing as keeping is no reason to lose it at once.
bool reaches_the_drive(int fd) {
  while (::fsync(fd) != 0) {
    if (errno != EINTR) {
      return errno == EINVAL || errno == ENOSYS;
    }
  }
  return true;
}

// A pipe without a reader is waited for, unless somebody has asked for the end.
int open_existing(const std::string& path) {
  const int waiting = interrupted() ? O_NONBLOCK : 0;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY | waiting);
  if (fd >= 0 && waiting != 0) {
    ::fcntl(fd, F_SETFL, 0);
  }
  return fd;
}

}  // namespace

Result<OutputFile> OutputFile::create(const std::string& path, Place place, bool replace) {
  if (!replace && exists(path)) {
    return cannot_create(path, EEXIST);
  }
  Result<std::string> target = end_of_links(path);
  if (!target) {
    return propagate(target);
  }
  struct stat status {};
  const bool is_there = ::stat(target->c_str(), &status) == 0;
  if (target->empty() || (is_there && S_ISDIR(status.st_mode))) {
    return cannot_create(path, target->empty() ? ENOENT : EISDIR);
  }
  const std::optional<int> descriptor = descriptor_named(*target);
  if (descriptor || (is_there && !S_ISREG(status.st_mode))) {
    const int fd = descriptor ? ::fcntl(*descriptor, F_DUPFD_CLOEXEC, 0) : open_existing(*target);
    return fd < 0 ? Result<OutputFile>(cannot_create(path, errno)) : OutputFile(path, fd);
  }
  if (is_there && ::faccessat(AT_FDCWD, target->c_str(), W_OK, AT_EACCESS) != 0) {
    return failed("{}: may not be replaced: {}", path, reason(errno));
  }
  Result<OutputFile> file = begin_beside(path, *target, replace);
  if (file && is_there) {
    // Nothing is in it yet that the mode could show to anybody. Where there are no modes there is none to
    // keep.
    static_cast<void>(::fchmod(file->fd_, status.st_mode & 0777));
  }
  if (file && place == Place::in_place) {
    if (Result<void> named = file->take_name(); !named) {
      return propagate(named);
    }
    file->on_sudden_end_ = {};
  }
  return file;
}

Result<OutputFile> OutputFile::begin_beside(const std::string& path, const std::string& target,
                                            bool replace) {
  constexpr int kMostNames = 1000;  // that killed runs with our process number may have left
  for (int number = 0; number < kMostNames; ++number) {
    const std::string name = fmt::format("{}.partial-{}-{}", target, ::getpid(), number);
    const int fd = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0) {
      OutputFile file(path, fd);
      file.on_sudden_end_ = OnSuddenEnd({{EndStep::Kind::unlink, name}});
      file.target_ = target;
      file.written_path_ = name;
      file.replace_ = replace;
      file.ours_ = true;
      return file;
    }
    if (errno != EEXIST) {
      return cannot_create(path, errno);
    }
  }
  return failed("{}: there are too many files like {}.partial-{}-0; remove them", path, target, ::getpid());
}

Result<OutputFile> OutputFile::standard_output() {
  const int fd = std::fflush(stdout) == 0 ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0) : -1;
  return fd < 0 ? Result<OutputFile>(failed("stdout: cannot be written: {}", reason(errno)))
                : OutputFile("stdout", fd);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      written_path_(std::move(other.written_path_)),
      fd_(std::exchange(other.fd_, -1)),
      replace_(other.replace_),
      keep_(other.keep_),
      ours_(std::exchange(other.ours_, false)),
      bytes_written_(other.bytes_written_),
      on_sudden_end_(std::move(other.on_sudden_end_)) {}

OutputFile::~OutputFile() {
  if (fd_ < 0) {
    return;
  }
  if (!keep_) {
    remove();
  }
  ::close(fd_);
}

// Somebody may have put another file in the place of ours.
void OutputFile::remove() const {
  struct stat opened {};
  struct stat named {};
  if (ours_ && ::fstat(fd_, &opened) == 0 && ::lstat(written_path_.c_str(), &named) == 0 &&
      opened.st_dev == named.st_dev && opened.st_ino == named.st_ino) {
    ::unlink(written_path_.c_str());
  }
}

Result<void> OutputFile::write(std::span<const uint8_t> bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::write(fd_, bytes.data() + done, bytes.size() - done);
    const int error = count > 0 ? 0 : count == 0 ? EIO : errno;
    done += size_t(std::max<ssize_t>(count, 0));
    // Only a signal cuts a write to a pipe short. A file waits for nobody, and its last block is wanted.
    const bool signalled = error == EINTR || (error == 0 && done < bytes.size());
    if (signalled && (ours_ || !interrupted())) {
      continue;
    }
    if (signalled || error != 0) {
      if (ours_ && ::ftruncate(fd_, off_t(bytes_written_)) == 0) {
        ::lseek(fd_, off_t(bytes_written_), SEEK_SET);
      }
      return failed("{}: cannot write at offset {}: {}", written_path_, bytes_written_ + done,
                    reason(signalled ? EINTR : error));
    }
  }
  bytes_written_ += bytes.size();
  return {};
}

Result<void> OutputFile::write(std::string_view text) {
  return write(std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

Result<void> OutputFile::check_room(uint64_t bytes) const {
  struct statvfs there {};
  if (ours_ && ::fstatvfs(fd_, &there) == 0 && there.f_bavail * there.f_frsize < bytes) {
    return failed("no room for {}: it takes {}, but there are {}; free some or choose another directory",
                  path_, format_bytes(bytes), format_bytes(there.f_bavail * there.f_frsize));
  }
  return {};
}

Result<void> OutputFile::take_name() {
  int outcome = ::renameat2(AT_FDCWD, written_path_.c_str(), AT_FDCWD, target_.c_str(),
                            replace_ ? 0 : RENAME_NOREPLACE);
  if (outcome != 0 && errno == EINVAL) {  // a file system that cannot promise not to replace
    errno = EEXIST;
    outcome = !replace_ && exists(target_) ? -1 : ::rename(written_path_.c_str(), target_.c_str());
  }
  if (outcome != 0) {
    return cannot_create(path_, errno);
  }
  written_path_ = target_;
  return {};
}

Result<void> OutputFile::finish() {
  Result<void> outcome;
  // Some file systems tell only at a close that there was no room. It is that of a copy, because the file
  // must not have its name before, nor be lost sight of.
  const int copy = ::dup(fd_);
  if (copy < 0 || ::close(copy) != 0) {
    outcome = failed("{}: cannot be closed: {}", written_path_, reason(errno));
  } else if (ours_ && written_path_ != target_) {
    // What is lost with the power after the renaming would be lost of the file that it replaced, too.
    outcome = reaches_the_drive(fd_) ? take_name()
                                     : failed("{}: cannot be written: {}", written_path_, reason(errno));
  }
  if (!outcome && !keep_) {
    remove();
  }
  ::close(std::exchange(fd_, -1));
  return outcome;
}

bool same_file(const std::string& one, const std::string& other) {
  std::error_code ignored;
  if (one.empty() || other.empty() || one == other || std::filesystem::equivalent(one, other, ignored)) {
    return !one.empty() && !other.empty();
  }
  // Where they are not there yet, by the place that they will have; nothing where that cannot be told.
  const auto place = [&ignored](const std::string& path) {
    const Result<std::string> target = end_of_links(path);
    return target ? std::filesystem::weakly_canonical(std::filesystem::absolute(*target, ignored), ignored)
                  : std::filesystem::path();
  };
  const std::filesystem::path there = place(one);
  return !there.empty() && there == place(other);
}

Result<InputFile> InputFile::open(const std::string& path) {
  Result<FileHandle> handle = open_file(path, O_RDONLY);
  if (!handle) {
    return propagate(handle);
  }
  Result<uint64_t> size = file_size(path, *handle);
  if (!size) {
    return propagate(size);
  }
  advise_sequential(*handle);
  return InputFile(path, std::move(*handle), *size);
}

Result<size_t> InputFile::read_at(uint64_t offset, std::span<std::byte> into) const {
  const ReadOutcome read = spillway::read_at(handle_.get(), into, offset);
  if (read.error != 0) {
    return failed("cannot read {} at offset {}: {}", path_, offset + read.bytes, error_text(read.error));
  }
  return size_t(read.bytes);
}

Result<void> InputFile::read_exactly(uint64_t offset, std::span<std::byte> into) const {
  Result<size_t> got = read_at(offset, into);
  if (!got) {
    return propagate(got);
  }
  if (*got == into.size()) {
    return {};
  }
  // That is where the file ends, not where this call came upon its end: the same, whoever reads first.
  Result<uint64_t> end = file_size(path_, handle_);
  return end ? failed("cannot read {} at offset {}: the file ends there", path_, *end) : propagate(end);
}

void InputFile::drop_cached(uint64_t offset, uint64_t bytes) const {
  spillway::drop_cached(handle_, offset, bytes);
}

Result<std::vector<InputFile>> open_inputs(const std::vector<std::string>& paths) {
  std::vector<InputFile> files;
  for (const std::string& path : paths) {
    Result<InputFile> file = InputFile::open(path);
    if (!file) {
      return propagate(file);
    }
    files.push_back(std::move(*file));
  }
  return files;
}

Result<std::string> read_whole(const std::string& path) {
  constexpr uint64_t kMost = kGiB;
  Result<InputFile> file = InputFile::open(path);
  if (!file) {
    return propagate(file);
  }
  if (file->size() > kMost) {
    return failed("{}: is {}, and a text of at most {} is taken", path, format_bytes(file->size()),
                  format_bytes(kMost));
  }
  std::string text(file->size(), '\0');
  Result<size_t> got = file->read_at(0, std::as_writable_bytes(std::span(text)));
  if (!got) {
    return propagate(got);
  }
  text.resize(*got);
  return text;
}

}  // namespace spillway
