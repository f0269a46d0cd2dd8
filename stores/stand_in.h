#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/posix_file.h"

namespace spillway {

// Small empty files without a name, on the file systems where a scratch store will be: whether a backend can
// be had is found out on them. They are gone when this is, however the process ends.
class StandIn {
 public:
  // Nothing where no file can be made; making the store will say why.
  static std::optional<StandIn> make(const std::vector<std::string>& directories);

  const std::vector<std::string>& files() const { return names_; }
  // Where they are, which a file without a name does not tell.
  const std::vector<std::string>& directories() const { return directories_; }

 private:
  StandIn() = default;

  std::vector<FileHandle> handles_;
  std::vector<std::string> names_;
  std::vector<std::string> directories_;
};

}  // namespace spillway
