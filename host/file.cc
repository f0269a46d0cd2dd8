#include "host/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "core/units.h"
#include "host/file_calls.h"
#include "host/interrupt.h"

namespace spillway {
namespace {

// Opens a device or a pipe for writing. Waits for the reader of a pipe, unless the user already
// asked for the end.
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
  Result<FilePlace> there = find_place(path, replace);
  if (!there) {
    return propagate(there);
  }
  if (there->is_stream) {
    FileHandle stream(there->descriptor ? ::fcntl(*there->descriptor, F_DUPFD_CLOEXEC, 0)
                                        : open_existing(there->target));
    return stream.get() < 0 ? Result<OutputFile>(cannot_create(path, errno))
                            : OutputFile(path, std::move(stream));
  }
  Result<NewFile> file = NewFile::create(std::move(*there), replace);
  if (!file) {
    return propagate(file);
  }
  if (place == Place::in_place) {
    if (Result<void> named = file->take_name(); !named) {
      return propagate(named);
    }
  }
  return OutputFile(std::move(*file));
}

Result<OutputFile> OutputFile::standard_output() {
  FileHandle stream(std::fflush(stdout) == 0 ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0) : -1);
  return stream.get() < 0 ? Result<OutputFile>(failed("stdout: cannot be written: {}", error_text(errno)))
                          : OutputFile("stdout", std::move(stream));
}

Result<void> OutputFile::write(std::span<const uint8_t> bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::write(handle().get(), bytes.data() + done, bytes.size() - done);
    const int error = count > 0 ? 0 : count == 0 ? EIO : errno;
    done += size_t(std::max<ssize_t>(count, 0));
    // Only a signal cuts a write to a pipe short. A file needs no reader, so its last block is
    // written even then.
    const bool signalled = error == EINTR || (error == 0 && done < bytes.size());
    if (signalled && (file_ || !interrupted())) {
      continue;
    }
    if (signalled || error != 0) {
      cut_back();
      return failed("{}: cannot write at offset {}: {}", path_, bytes_written_ + done,
                    error_text(signalled ? EINTR : error));
    }
  }
  bytes_written_ += bytes.size();
  return {};
}

Result<void> OutputFile::write(std::string_view text) {
  return write(std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

// Takes a part of a block that was written back out of a file.
void OutputFile::cut_back() const {
  if (file_ && ::ftruncate(handle().get(), off_t(bytes_written_)) == 0) {
    ::lseek(handle().get(), off_t(bytes_written_), SEEK_SET);
  }
}

Result<void> OutputFile::check_room(uint64_t bytes) const {
  return file_ ? file_->check_room(bytes) : Result<void>();
}

void OutputFile::keep() {
  if (file_) {
    file_->keep();
  }
}

Result<void> OutputFile::finish() {
  Result<void> outcome;
  // Some file systems report only at a close that there was no room. A copy of the descriptor is closed: the
  // file must not have its name before the check, and stays open for publish().
  if (const int copy = ::dup(handle().get()); copy < 0 || ::close(copy) != 0) {
    outcome = failed("{}: cannot be closed: {}", path_, error_text(errno));
  } else if (file_) {
    outcome = file_->publish();
  }
  file_.reset();
  stream_ = FileHandle();
  return outcome;
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
  // The error names where the file ends, not where this call noticed the end: so it is the
  // same for every reader.
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
    return failed("{}: is {} long; text files may be at most {}", path, format_bytes(file->size()),
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
