#pragma once

#include <string>

namespace spillway {

// Returns the path of a folder that comes with the program: `presets`, `plots`. The path follows from where
// the program itself lies, so an installation can be moved as a whole. A build tree has links to the folders
// of the sources in the same place.
std::string installed_folder(const std::string& name);

}  // namespace spillway
