#include "host/file_calls.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <functional>
#include <thread>

namespace spillway {
namespace {

int outcome(int returned) {
  return returned == 0 ? 0 : errno;
}

// Opens the folder that `path` is in.
FileHandle open_folder(const std::string& path) {
  return FileHandle(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

// Renames without replacing on file systems that have neither such a renaming nor second names for files.
// An empty file takes the name first, which the kernel allows to one process only; the renaming then
// replaces that file.
int rename_over_a_placeholder(const std::string& from, const std::string& to) {
  if (FileHandle(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)).get() < 0) {
    return errno;
  }
  const int error = outcome(::rename(from.c_str(), to.c_str()));
  if (error != 0) {
    ::unlink(to.c_str());
  }
  return error;
}

#ifdef F_OFD_SETLK
// Returns a lock on one byte of a folder; the byte's offset is a hash of a name in the folder. Such a lock
// needs no file of its own that could be left behind.
struct flock lock_of(const std::string& path, short type) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = off_t(std::hash<std::string>()(std::filesystem::path(path).filename()) >> 2);
  lock.l_len = 1;
  return lock;
}

// Returns true if another process holds the lock. A folder can only be opened for reading, so its locks can
// only be shared ones. Each holder asks whether it is the only one.
bool others_hold(const FileHandle& folder, const std::string& path) {
  struct flock lock = lock_of(path, F_WRLCK);
  return ::fcntl(folder.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}
#endif

}  // namespace

FileHandle open_unnamed([[maybe_unused]] const std::string& folder, [[maybe_unused]] unsigned mode) {
#ifdef O_TMPFILE
  FileHandle file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, mode_t(mode)));
  if (file.get() >= 0 && ::access(descriptor_path(file).c_str(), F_OK) == 0) {
    return file;
  }
#endif
  return {};
}

int give_name(const FileHandle& unnamed, const std::string& path) {
  return outcome(
      ::linkat(AT_FDCWD, descriptor_path(unnamed).c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW));
}

int rename_to_free(const std::string& from, const std::string& to) {
#ifdef RENAME_NOREPLACE
  const int renamed = outcome(::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE));
  if (renamed != EINVAL && renamed != ENOSYS) {
    return renamed;
  }
#endif
  // link() never replaces.
  const int linked = outcome(::link(from.c_str(), to.c_str()));
  if (linked == EPERM || linked == EOPNOTSUPP || linked == ENOSYS) {
    return rename_over_a_placeholder(from, to);
  }
  if (linked == 0) {
    ::unlink(from.c_str());  // the file has its name; a second one that stays does no harm
  }
  return linked;
}

int take_room(const FileHandle& file, uint64_t bytes) {
#ifdef FALLOC_FL_KEEP_SIZE
  int taken = 0;
  do {
    taken = outcome(::fallocate(file.get(), 0, 0, off_t(bytes)));
  } while (taken == EINTR);
  if (taken != EOPNOTSUPP && taken != ENOSYS) {
    return taken;
  }
#endif
  return outcome(::ftruncate(file.get(), off_t(bytes)));
}

bool bypass_page_cache([[maybe_unused]] const FileHandle& file) {
#ifdef O_DIRECT
  const int flags = ::fcntl(file.get(), F_GETFL);
  return flags >= 0 && ::fcntl(file.get(), F_SETFL, flags | O_DIRECT) == 0;
#else
  return false;
#endif
}

void write_through([[maybe_unused]] const FileHandle& file, [[maybe_unused]] uint64_t offset,
                   [[maybe_unused]] uint64_t bytes) {
#ifdef SYNC_FILE_RANGE_WRITE
  ::sync_file_range(file.get(), off_t(offset), off_t(bytes),
                    SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
#endif
  drop_cached(file, offset, bytes);
}

void advise_sequential([[maybe_unused]] const FileHandle& file) {
#ifdef POSIX_FADV_SEQUENTIAL
  ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
#endif
}

void drop_cached([[maybe_unused]] const FileHandle& file, [[maybe_unused]] uint64_t offset,
                 [[maybe_unused]] uint64_t bytes) {
#ifdef POSIX_FADV_DONTNEED
  ::posix_fadvise(file.get(), off_t(offset), off_t(bytes), POSIX_FADV_DONTNEED);
#endif
}

std::optional<FileHandle> claim_name(const std::string& path) {
  FileHandle folder = open_folder(path);
#ifdef F_OFD_SETLK
  constexpr int kTries = 4;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    struct flock held = lock_of(path, F_RDLCK);
    if (::fcntl(folder.get(), F_OFD_SETLK, &held) != 0 || !others_hold(folder, path)) {
      return folder;
    }
    held = lock_of(path, F_UNLCK);
    ::fcntl(folder.get(), F_OFD_SETLK, &held);
    // Two processes that locked at the same moment have seen each other. They try again at different moments.
    std::this_thread::sleep_for(std::chrono::milliseconds(1 + ::getpid() % 13));
  }
  return std::nullopt;
#else
  return folder;
#endif
}

int settle(const FileHandle& file) {
  int error = 0;
  do {
    error = outcome(::fsync(file.get()));
  } while (error == EINTR);
  return error == EINVAL || error == ENOSYS ? 0 : error;
}

void settle_name(const std::string& path) {
  if (const FileHandle folder = open_folder(path); folder.get() >= 0) {
    ::fsync(folder.get());
  }
}

bool is_called(const FileHandle& file, const std::string& path) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(file.get(), &opened) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

std::string descriptor_path(const FileHandle& file) {
  return fmt::format("/proc/self/fd/{}", file.get());
}

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder;
}

}  // namespace spillway
