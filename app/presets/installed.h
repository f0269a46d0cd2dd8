#pragma once

#include <string>

namespace spillway {

// Where a folder of what comes with the program lies: `presets`, `plots`. The place goes by where the program
// itself lies, so that an installation can be moved as a whole; a build tree has links to the sources' folders
// in the same place.
std::string installed_folder(const std::string& name);

}  // namespace spillway
