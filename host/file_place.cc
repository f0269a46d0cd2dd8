#include "host/file_place.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "host/file_calls.h"
#include "host/interrupt.h"

namespace spillway {
namespace {

// Returns the number in a name like /dev/fd/3. Such a descriptor is written to at its current position.
// Opening its name anew would overwrite the file that stdout was sent to from the beginning.
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

// Returns true for a link in a shared folder such as /tmp that belongs neither to this user nor to the
// folder's owner. Kernels with fs.protected_symlinks refuse to follow links by the same rule.
bool is_link_of_a_stranger(const std::string& path) {
  struct stat link {};
  struct stat folder {};
  constexpr mode_t kShared = S_ISVTX | S_IWOTH;
  return ::lstat(path.c_str(), &link) == 0 && ::stat(folder_of(path).c_str(), &folder) == 0 &&
         (folder.st_mode & kShared) == kShared && link.st_uid != ::geteuid() && link.st_uid != folder.st_uid;
}

// Returns the name that `path` leads to, whether a file of that name exists or not. Stops at
// names of descriptors.
Result<std::string> end_of_links(const std::string& path) {
  constexpr int kMostLinks = 40;  // the kernel follows as many
  std::filesystem::path at = path;
  for (int links = 0; links <= kMostLinks; ++links) {
    std::error_code no_link;
    const std::filesystem::path next = std::filesystem::read_symlink(at, no_link);
    if (no_link || descriptor_named(at.native())) {
      return at.native();
    }
    if (is_link_of_a_stranger(at)) {
      return failed(
          "{}: {} is a link that another user has put into a folder where everybody may write; "
          "choose another name",
          path, at.native());
    }
    at = at.parent_path() / next;
  }
  return cannot_create(path, ELOOP);
}

// Returns true if the kernel refuses to rename another file over this one: in a sticky folder such as /tmp
// only the owner of the file or of the folder may.
bool belongs_to_others_in_a_sticky_folder(const std::string& path, const struct stat& file) {
  struct stat folder {};
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (::stat(parent.empty() ? "." : parent.c_str(), &folder) != 0 || (folder.st_mode & S_ISVTX) == 0) {
    return false;
  }
  const uid_t user = ::geteuid();
  return user != 0 && user != file.st_uid && user != folder.st_uid;
}

bool is_taken(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

}  // namespace

Unexpected cannot_create(const std::string& path, int error) {
  if (error == EEXIST) {
    return failed("{}: exists already; choose another name or give --force to replace it", path);
  }
  if (error == EINTR || (error == ENXIO && interrupted())) {
    return failed("{}: waiting for a reader of the pipe was interrupted; start the reader first", path);
  }
  const bool elsewhere = error == EACCES || error == EPERM || error == EROFS;
  return failed("{}: cannot be created: {}{}", path, error_text(error),
                elsewhere ? "; choose a directory that can be written" : "");
}

Result<FilePlace> find_place(const std::string& path, bool replace) {
  if (!replace && is_taken(path)) {
    return cannot_create(path, EEXIST);
  }
  Result<std::string> target = end_of_links(path);
  if (!target) {
    return propagate(target);
  }
  FilePlace place{path, *target};
  place.descriptor = descriptor_named(place.target);
  place.is_stream = place.descriptor.has_value();
  struct stat status {};
  if (place.is_stream) {
    return place;
  }
  if (::stat(place.target.c_str(), &status) != 0) {
    // Any other error than ENOENT is reported now: it would otherwise come up only when the
    // whole file is written.
    return errno == ENOENT && !place.target.empty() ? Result<FilePlace>(std::move(place))
                                                    : cannot_create(path, errno);
  }
  if (S_ISDIR(status.st_mode)) {
    return cannot_create(path, EISDIR);
  }
  place.is_stream = !S_ISREG(status.st_mode);
  if (place.is_stream) {
    return place;
  }
  if (::faccessat(AT_FDCWD, place.target.c_str(), W_OK, AT_EACCESS) != 0) {
    return failed("{}: may not be replaced: {}", path, error_text(errno));
  }
  if (belongs_to_others_in_a_sticky_folder(place.target, status)) {
    return failed(
        "{}: may not be replaced: it belongs to another user, and its folder lets only owners rename", path);
  }
  place.mode = unsigned(status.st_mode & 0777);
  return place;
}

bool same_file(const std::string& one, const std::string& other) {
  std::error_code ignored;
  if (one.empty() || other.empty() || one == other || std::filesystem::equivalent(one, other, ignored)) {
    return !one.empty() && !other.empty();
  }
  // Compares paths that do not exist yet by the places they will have. An unknown place is empty.
  const auto place = [&ignored](const std::string& path) {
    const Result<std::string> target = end_of_links(path);
    return target ? std::filesystem::weakly_canonical(std::filesystem::absolute(*target, ignored), ignored)
                  : std::filesystem::path();
  };
  const std::filesystem::path there = place(one);
  return !there.empty() && there == place(other);
}

}  // namespace spillway
