#pragma once

#include <string>
#include <vector>

namespace spillway {

// Returns the paths of a list like `a,b,c`. A comma may be part of a path: of the text that is left, the
// longest piece up to a comma or the end that is the path of something becomes one path. The comma of a path
// that is not there yet can be written `\,`.
std::vector<std::string> split_paths(const std::string& text);

}  // namespace spillway
