#pragma once

#include <string>

namespace spillway {

// The folder in which the runs of a sweep make their scratch stores. Says at the start where it is and what
// becomes of it, and removes the stores at the end.
class SweepStores {
 public:
  // `keep`: nothing is removed, since the user wants that or other shards need the stores.
  SweepStores(std::string directory, bool keep) : directory_(std::move(directory)), keep_(keep) {}

  // Says once that runs which are about to start make stores there.
  void tell();

  // Removes the stores, unless another sweep uses them, and the folder if nothing else is in it. Says how
  // much was removed, or is kept.
  void clean();

  const std::string& directory() const { return directory_; }

 private:
  std::string directory_;
  bool keep_;
  bool told_ = false;
};

}  // namespace spillway
