#pragma once

#include <optional>
#include <string>

#include "core/result.h"

namespace spillway {

// Where a file is to be written, and what is there now.
struct FilePlace {
  std::string path;    // as it was given, for messages
  std::string target;  // what it leads to: with no link at its end
  // True of what is no file that could be replaced: a device, a pipe, an open descriptor. Such a thing is
  // written to as it is.
  bool is_stream = false;
  std::optional<int> descriptor =
      std::nullopt;                             // which one, where the path names it (/dev/stdout, /dev/fd/3)
  std::optional<unsigned> mode = std::nullopt;  // of the file that is there
};

// Follows the links at the end of `path`, but none that another user has put into a folder where everybody
// may write: where it leads is not this user's choice. Without `replace` an existing `path` is an error. A
// file that this user may not write always is.
Result<FilePlace> find_place(const std::string& path, bool replace);

// True when both paths lead to the same file, be it there or not: it cannot be made from itself.
bool same_file(const std::string& one, const std::string& other);

// What an errno means to somebody who wants a file at `path`.
Unexpected cannot_create(const std::string& path, int error);

}  // namespace spillway
