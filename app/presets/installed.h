#pragma once

#include <string>

namespace spillway {

// Where what comes with the program lies: `presets` or `plots`, as a path. The place goes by where the program
// itself lies, so that an installation can be moved as a whole; a build tree links the sources' folders to the
// same place.
std::string installed_folder(const std::string& name);

}  // namespace spillway
