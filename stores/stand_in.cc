#include "stores/stand_in.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "host/file_calls.h"

namespace spillway {
namespace {

namespace fs = std::filesystem;

// Enough for a trial of huge pages, which uses the second 2 MiB of the file.
constexpr off_t kStandInBytes = 4 << 20;

// Returns the directory itself or, if it does not exist yet, the nearest existing one above it.
fs::path nearest_directory(fs::path directory) {
  std::error_code ignored;
  while (!fs::is_directory(directory, ignored) && directory.has_parent_path() &&
         directory != directory.parent_path()) {
    directory = directory.parent_path();
  }
  return fs::is_directory(directory, ignored) ? directory : fs::path(".");
}

// Makes a file that only its descriptor leads to.
FileHandle nameless_file(const fs::path& directory) {
  if (FileHandle file = open_unnamed(directory, 0600); file.get() >= 0) {
    return file;
  }
  // On a file system without nameless files, the file has a name until it is removed at once.
  std::string name = (directory / "spillway-XXXXXX").string();
  FileHandle file(::mkostemp(name.data(), O_CLOEXEC));
  if (file.get() >= 0) {
    ::unlink(name.c_str());
  }
  return file;
}

}  // namespace

std::optional<StandIn> StandIn::make(const std::vector<std::string>& directories) {
  StandIn stand_in;
  for (const std::string& directory : directories) {
    stand_in.directories_.push_back(nearest_directory(directory));
    const FileHandle writable = nameless_file(stand_in.directories_.back());
    if (writable.get() < 0 || ::ftruncate(writable.get(), kStandInBytes) != 0) {
      return std::nullopt;
    }
    // The kernel makes huge pages only of files that no process has open for writing.
    FileHandle readable(::open(descriptor_path(writable).c_str(), O_RDONLY | O_CLOEXEC));
    if (readable.get() < 0) {
      return std::nullopt;
    }
    stand_in.names_.push_back(descriptor_path(readable));
    stand_in.handles_.push_back(std::move(readable));
  }
  return stand_in;
}

}  // namespace spillway
