#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/posix_file.h"

namespace spillway {

// Small empty files without a name, on the file systems where a scratch store will be. They serve to find out
// whether a backend is available there. The files vanish with this object, however the process ends.
class StandIn {
 public:
  // Returns nothing if a file cannot be made; making the store will report the reason.
  static std::optional<StandIn> make(const std::vector<std::string>& directories);

  const std::vector<std::string>& files() const { return names_; }
  // Returns the directories of the files, which their own paths do not contain.
  const std::vector<std::string>& directories() const { return directories_; }

 private:
  StandIn() = default;

  std::vector<FileHandle> handles_;
  std::vector<std::string> names_;
  std::vector<std::string> directories_;
};

// Returns the bytes per second at which `directory`, which need not exist yet, takes writes past the page
// cache: a trial with `bytes` bytes (rounded up to whole blocks) of a nameless file. Returns nothing if the
// file cannot be made or written.
std::optional<double> trial_write_rate(const std::string& directory, uint64_t bytes);

}  // namespace spillway
