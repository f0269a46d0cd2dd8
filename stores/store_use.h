#pragma once

#include <cstdint>
#include <ctime>
#include <span>
#include <string>
#include <vector>

#include "host/posix_file.h"
#include "stores/packed_format.h"

// Scratch stores that lie in a folder: which there are, which are in use, and how they are removed.
namespace spillway {

// Keeps the files of a store from being removed by remove_scratch_file() while the object exists, in this
// process or another. Where files cannot be locked, nothing is kept.
class StoreUse {
 public:
  StoreUse() = default;
  // Also sets the files' access times, which say when a store was last used, to now. `may_mark` is false for
  // files that are not this program's.
  StoreUse(std::span<const std::string> files, bool may_mark);

 private:
  std::vector<FileHandle> locked_;
};

// A file that make_scratch_store() made, recognised by its content.
struct ScratchFile {
  std::string path;
  uint64_t bytes = 0;
  std::time_t last_used = 0;
  bool in_use = false;
  PackedHeader header;
};

// Returns the scratch files in `directory`, sorted by name. A directory that does not exist has none. Files
// of other kinds are left out.
Result<std::vector<ScratchFile>> list_scratch_files(const std::string& directory);

// Removes the file. Returns false, and keeps the file, if it is in use.
Result<bool> remove_scratch_file(const ScratchFile& file);

}  // namespace spillway
