#include "host/new_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string_view>

#include "core/units.h"
#include "host/file_calls.h"

namespace spillway {
namespace {

constexpr unsigned kMode = 0666;  // minus the umask
constexpr std::string_view kPartial = ".partial-";

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Returns true for a name that open_named() gives to a file that will be called `name`.
bool is_partial_name(std::string_view candidate, std::string_view name) {
  if (!candidate.starts_with(name) || !candidate.substr(name.size()).starts_with(kPartial)) {
    return false;
  }
  const std::string_view numbers = candidate.substr(name.size() + kPartial.size());
  const size_t between = numbers.find('-');
  return between != std::string_view::npos && is_number(numbers.substr(0, between)) &&
         is_number(numbers.substr(between + 1));
}

bool lock(const FileHandle& file) {
  return ::flock(file.get(), LOCK_EX | LOCK_NB) == 0;
}

// Returns true for a file of this user that no process is making any more: every file is locked
// while it is being made.
bool is_left_over(const std::string& path) {
  const FileHandle file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  return file.get() >= 0 && ::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) &&
         status.st_uid == ::geteuid() && lock(file) && is_called(file, path);
}

// Removes the partial files that killed runs left for `target`.
void remove_partial_files(const std::string& target) {
  const std::string name = std::filesystem::path(target).filename();
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder_of(target), ignored)) {
    const std::string path = entry.path();
    if (is_partial_name(entry.path().filename().native(), name) && is_left_over(path)) {
      ::unlink(path.c_str());
    }
  }
}

}  // namespace

Result<NewFile> NewFile::create(FilePlace place, bool replace) {
  NewFile file(std::move(place), replace);
  file.handle_ = open_unnamed(folder_of(file.place_.target), kMode);
  if (file.handle_.get() >= 0) {
    lock(file.handle_);
  } else if (Result<void> named =
                 file.find_name([&file](const std::string& name) { return file.open_named(name); });
             !named) {
    return propagate(named);
  }
  if (file.place_.mode) {
    // The file is still empty, so the mode exposes nothing. Failure is ignored: some file
    // systems have no modes.
    static_cast<void>(::fchmod(file.handle_.get(), mode_t(*file.place_.mode)));
  }
  return file;
}

NewFile::NewFile(NewFile&& other) noexcept
    : place_(std::move(other.place_)),
      replace_(other.replace_),
      keep_(other.keep_),
      handle_(std::move(other.handle_)),
      name_(std::exchange(other.name_, {})),
      on_sudden_end_(std::move(other.on_sudden_end_)) {}

NewFile::~NewFile() {
  if (!keep_) {
    remove();
  }
}

// Removes the file, unless another program has put a different file in its place.
void NewFile::remove() const {
  if (!name_.empty() && is_called(handle_, name_)) {
    ::unlink(name_.c_str());
  }
}

// Calls `take` with one candidate name after another, beside the file's place, until a name is free.
// `take` returns an errno.
Result<void> NewFile::find_name(FunctionRef<int(const std::string& name)> take) {
  constexpr int kMostNames = 1000;
  remove_partial_files(place_.target);
  for (int number = 0; number < kMostNames; ++number) {
    const std::string name = fmt::format("{}{}{}-{}", place_.target, kPartial, ::getpid(), number);
    const int error = take(name);
    if (error == 0) {
      name_ = name;
      on_sudden_end_ = OnSuddenEnd({{EndStep::Kind::unlink, name}});
      return {};
    }
    if (error != EEXIST) {
      return cannot_create(place_.path, error);
    }
  }
  return failed("{}: too many files named {}{}{}-N are left over; remove them", place_.path, place_.target,
                kPartial, ::getpid());
}

// Makes the file under `name` and locks it. Returns EEXIST if another process, looking for leftovers, removed
// the file before it was locked; the caller tries another name then.
int NewFile::open_named(const std::string& name) {
  FileHandle file(::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode_t(kMode)));
  if (file.get() < 0) {
    return errno;
  }
  // The lock is held by a process that looks for leftovers and is about to remove the file. Where the file
  // system has no locks, nobody else holds one either.
  const bool is_being_removed = !lock(file) && errno == EWOULDBLOCK;
  if (is_being_removed || !is_called(file, name)) {
    return EEXIST;
  }
  handle_ = std::move(file);
  return 0;
}

Result<void> NewFile::check_room(uint64_t bytes, uint64_t stay_free) const {
  struct statvfs drive {};
  if (::fstatvfs(handle_.get(), &drive) != 0) {
    return {};  // the room is unknown: a write will find out
  }
  const uint64_t free = uint64_t(drive.f_bavail) * drive.f_frsize;
  if (free >= bytes + stay_free) {
    return {};
  }
  const std::string beside =
      stay_free > 0 ? fmt::format(" and {} must stay free", format_bytes(stay_free)) : "";
  return failed("no room for {}: it takes {}{}, but only {} is free; free some or choose another directory",
                path(), format_bytes(bytes), beside, format_bytes(free));
}

Result<void> NewFile::reserve(uint64_t bytes, uint64_t stay_free) const {
  if (Result<void> room = check_room(bytes, stay_free); !room) {
    return room;
  }
  if (const int error = take_room(handle_, bytes); error != 0) {
    return failed("no room for {} of {}: {}", path(), format_bytes(bytes), error_text(error));
  }
  return {};
}

// Replaces the file at the place. A nameless file can be given a free name but not the name of another file,
// so it first takes a name beside its place.
Result<void> NewFile::replace_by_rename() {
  if (name_.empty()) {
    const auto take = [this](const std::string& name) { return give_name(handle_, name); };
    if (Result<void> named = find_name(take); !named) {
      return named;
    }
  }
  if (::rename(name_.c_str(), place_.target.c_str()) != 0) {
    return cannot_create(path(), errno);
  }
  return {};
}

Result<void> NewFile::take_name() {
  const int error = name_.empty() ? give_name(handle_, place_.target)
                    : replace_    ? EEXIST
                                  : rename_to_free(name_, place_.target);
  if (error == EEXIST && replace_) {
    if (Result<void> replaced = replace_by_rename(); !replaced) {
      return replaced;
    }
  } else if (error != 0) {
    return cannot_create(path(), error);
  }
  name_ = place_.target;
  on_sudden_end_ = {};
  return {};
}

Result<void> NewFile::publish() {
  // The data must be on the drive first: if the power failed after the renaming, the old file's content
  // would be lost too.
  if (const int error = settle(handle_); error != 0) {
    return failed("{}: cannot be written: {}", path(), error_text(error));
  }
  if (name_ != place_.target) {
    if (Result<void> named = take_name(); !named) {
      return named;
    }
  }
  settle_name(place_.target);
  keep_ = true;
  return {};
}

}  // namespace spillway
