#include "stores/partial_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <thread>
#include <vector>

#include "core/expects.h"
#include "core/units.h"
#include "stores/packed_format.h"

namespace spillway {
namespace {

// Left free on the disk: a full one harms more than us.
constexpr uint64_t kDiskMargin = 256 * kMiB;

// What writes past the page cache are multiples of.
constexpr uint64_t kBlockUnit = 4096;

// Between our opening a file and our locking it, who made it may have given it its final name: what we hold
// then is a store that is in use.
bool is_called(int descriptor, const std::string& name) {
  struct stat held = {};
  struct stat named = {};
  return ::fstat(descriptor, &held) == 0 && ::stat(name.c_str(), &named) == 0 &&
         held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

// Whether the file is what an unfinished store looks like: empty, still without its header, which is written
// last, or complete but for its name.
bool is_unfinished_store(const std::string& name) {
  std::array<char, kPackedMagic.size()> head = {};
  const FileHandle file(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  const ssize_t got = file.get() < 0 ? -1 : ::pread(file.get(), head.data(), head.size(), 0);
  const std::string_view text(head.data(), head.size());
  return got == 0 ||
         (got > 0 && (text == kPackedMagic || text.find_first_not_of('\0') == std::string_view::npos));
}

// Whether it did; errno tells why not.
bool take_name(const std::string& from, const std::string& to, bool replace) {
  if (replace) {
    return ::rename(from.c_str(), to.c_str()) == 0;
  }
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
    return true;
  }
  // A file system that cannot promise not to replace.
  return errno == EINVAL && ::rename(from.c_str(), to.c_str()) == 0;
}

}  // namespace

Result<PartialFile> PartialFile::create(const std::string& path, bool direct) {
  PartialFile partial;
  partial.path_ = path;
  const std::string name = path + ".partial";
  const int descriptor =
      ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | (direct ? O_DIRECT : 0), mode_t(0644));
  if (descriptor < 0) {
    const int error = errno;
    if (direct && error == EINVAL) {
      return create(path, false);  // tmpfs and the like
    }
    return failed("cannot make store {}: {}; choose a directory that can be written", name,
                  error_text(error));
  }
  partial.file_ = FileHandle(descriptor);
  partial.direct_ = direct;
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    return failed("{} is being made by another process; wait for it to end", name);
  }
  if (!is_called(descriptor, name)) {
    return failed("{} was being made by another process, which has just ended; run this again", path);
  }
  if (!is_unfinished_store(name)) {
    return failed("{} is there and is no unfinished store; move it away", name);
  }
  partial.made_ = true;
  partial.on_sudden_end_ = OnSuddenEnd({{EndStep::Kind::unlink, name}});
  // What a killed run may have left in it.
  if (::ftruncate(descriptor, 0) != 0) {
    return failed("cannot empty {}: {}", name, error_text(errno));
  }
  return partial;
}

PartialFile::PartialFile(PartialFile&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::move(other.file_)),
      direct_(other.direct_),
      made_(std::exchange(other.made_, false)),
      on_sudden_end_(std::move(other.on_sudden_end_)) {}

PartialFile::~PartialFile() {
  if (made_) {
    ::unlink(name().c_str());
  }
}

Result<void> PartialFile::reserve(uint64_t bytes) {
  struct statvfs disk = {};
  if (::fstatvfs(file_.get(), &disk) != 0) {
    return failed("cannot tell the free space for {}: {}", path_, error_text(errno));
  }
  const uint64_t free = uint64_t(disk.f_bavail) * disk.f_frsize;
  if (free < bytes + kDiskMargin) {
    return failed(
        "no room for store {}: it takes {} and {} must stay free, but there are {}; free some or "
        "choose another directory",
        path_, format_bytes(bytes), format_bytes(kDiskMargin), format_bytes(free));
  }
  if (::fallocate(file_.get(), 0, 0, off_t(bytes)) == 0) {
    return {};
  }
  if (errno != EOPNOTSUPP) {
    return failed("no room for store {} of {}: {}", path_, format_bytes(bytes), error_text(errno));
  }
  if (::ftruncate(file_.get(), off_t(bytes)) != 0) {
    return failed("cannot make store {} of {}: {}", path_, format_bytes(bytes), error_text(errno));
  }
  return {};
}

int PartialFile::write(std::span<const std::byte> block, uint64_t offset) const {
  const int error = write_at(file_.get(), block, offset);
  // Where the page cache is in the way it is emptied behind us.
  if (error == 0 && !direct_) {
    ::sync_file_range(file_.get(), off_t(offset), off_t(block.size()),
                      SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    ::posix_fadvise(file_.get(), off_t(offset), off_t(block.size()), POSIX_FADV_DONTNEED);
  }
  return error;
}

Result<void> PartialFile::write_padded(std::span<const std::byte> bytes, uint64_t offset,
                                       std::span<std::byte> memory) const {
  Expects(memory.size() >= kBlockUnit);
  const uint64_t most = round_down(memory.size(), kBlockUnit);
  for (uint64_t done = 0; done < bytes.size(); done += most) {
    const std::span<const std::byte> piece = bytes.subspan(done, std::min(most, bytes.size() - done));
    const std::span<std::byte> block = memory.first(round_up(piece.size(), kBlockUnit));
    const auto end = std::copy(piece.begin(), piece.end(), block.begin());
    std::fill(end, block.end(), std::byte{0});
    if (const int error = write(block, offset + done); error != 0) {
      return failed("cannot write {}: {}", name(), error_text(error));
    }
  }
  return {};
}

Result<void> PartialFile::publish(bool replace) {
  if (::fsync(file_.get()) != 0 || !take_name(name(), path_, replace)) {
    return failed("cannot finish store {}: {}", path_, error_text(errno));
  }
  made_ = false;
  // The name lasts once its directory is on disk; where that cannot be asked for it lasts soon after.
  const std::string directory = std::filesystem::path(path_).parent_path();
  if (Result<FileHandle> handle = open_file(directory.empty() ? "." : directory, O_RDONLY | O_DIRECTORY);
      handle) {
    ::fsync(handle->get());
  }
  return {};
}

void share_writing(FunctionRef<bool(uint32_t writer)> work, FunctionRef<void()> between) {
  std::vector<std::thread> helpers;
  for (uint32_t writer = 1; writer < kStoreWriters; ++writer) {
    helpers.emplace_back([work, writer] {
      while (work(writer)) {
      }
    });
  }
  while (work(0)) {
    between();
  }
  for (std::thread& helper : helpers) {
    helper.join();
  }
}

}  // namespace spillway
