#pragma once

#include <string>

namespace spillway {

// Returns the path of a folder that is installed with the program, such as `presets` or `plots`. The path is
// relative to the running program's own, so an installation can be moved as a whole. A build tree has links
// to the source folders in the same place.
std::string installed_folder(const std::string& name);

}  // namespace spillway
