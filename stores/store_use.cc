#include "stores/store_use.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <thread>

#include "host/file_calls.h"

namespace spillway {
namespace {

namespace fs = std::filesystem;

// Returns false if another process holds a lock that excludes `mode`.
bool try_lock(const FileHandle& file, int mode) {
  return ::flock(file.get(), mode | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

void set_access_time(const FileHandle& file, const timespec& time) {
  const std::array<timespec, 2> times = {time, {0, UTIME_OMIT}};
  ::futimens(file.get(), times.data());  // a file of another user keeps its time
}

// Opens the file at `path` itself, and no file that a link there leads to.
FileHandle open_itself(const std::string& path) {
  return FileHandle(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
}

std::optional<ScratchFile> look_at(const std::string& path) {
  const FileHandle file = open_itself(path);
  struct stat status = {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return std::nullopt;
  }
  const Result<InputFile> input = InputFile::open(path);
  Result<PackedHeader> header = input ? read_packed_header(*input) : Unexpected(input.error());
  set_access_time(file, status.st_atim);  // this look was no use of the store
  if (!header || !header->seed || header->packed) {
    return std::nullopt;
  }
  constexpr uint64_t kBlock = 512;  // the unit of st_blocks
  return ScratchFile{path, uint64_t(status.st_blocks) * kBlock, status.st_atim.tv_sec,
                     !try_lock(file, LOCK_EX), std::move(*header)};
}

}  // namespace

StoreUse::StoreUse(std::span<const std::string> files, bool may_mark) {
  // A look at the store holds its lock for a moment.
  constexpr int kTries = 20;
  for (const std::string& path : files) {
    FileHandle file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    for (int i = 0; file.get() >= 0 && i < kTries && !try_lock(file, LOCK_SH); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    if (may_mark) {
      set_access_time(file, {0, UTIME_NOW});
    }
    locked_.push_back(std::move(file));
  }
}

Result<std::vector<ScratchFile>> list_scratch_files(const std::string& directory) {
  std::vector<ScratchFile> files;
  std::error_code problem;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, problem)) {
    if (std::optional<ScratchFile> file = look_at(entry.path())) {
      files.push_back(std::move(*file));
    }
  }
  if (problem && problem != std::errc::no_such_file_or_directory) {
    return failed("{}: the folder cannot be read: {}", directory, problem.message());
  }
  std::sort(files.begin(), files.end(),
            [](const ScratchFile& a, const ScratchFile& b) { return a.path < b.path; });
  return files;
}

Result<bool> remove_scratch_file(const ScratchFile& file) {
  const FileHandle handle = open_itself(file.path);
  if (handle.get() < 0) {
    return errno == ENOENT ? Result<bool>(true)
                           : failed("{}: cannot be opened: {}", file.path, error_text(errno));
  }
  if (!try_lock(handle, LOCK_EX)) {
    return false;
  }
  if (is_called(handle, file.path) && ::unlink(file.path.c_str()) != 0) {
    return failed("{}: cannot be removed: {}", file.path, error_text(errno));
  }
  return true;
}

}  // namespace spillway
