#pragma once

#include <optional>
#include <string>

#include "core/result.h"

namespace spillway {

// The place where a file is to be written, and what is there now.
struct FilePlace {
  std::string path;    // as the user gave it, for messages
  std::string target;  // the name that `path` leads to, itself not a link
  // True of a device, a pipe or an open descriptor: it cannot be replaced and is written in place.
  bool is_stream = false;
  // Number of the descriptor that the path names (/dev/stdout, /dev/fd/3).
  std::optional<int> descriptor = std::nullopt;
  std::optional<unsigned> mode = std::nullopt;  // of the existing file
};

// Follows the links at the end of `path`, except those that another user has put into a folder that everybody
// may write: their target is not this user's choice. Fails on an existing `path` without `replace`, and
// always on a file that this user may not write.
Result<FilePlace> find_place(const std::string& path, bool replace);

// Returns true if both paths lead to the same file, whether it exists or not. Such a file cannot
// be made from itself.
bool same_file(const std::string& one, const std::string& other);

// Returns the error for `error`, an errno of making a file at `path`.
Unexpected cannot_create(const std::string& path, int error);

}  // namespace spillway
