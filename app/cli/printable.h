#pragma once

#include <string>
#include <string_view>

namespace spillway {

// Text from a file or the command line as a terminal may see it: control characters, what turns the direction
// of text or cannot be seen, bytes that are not UTF-8, and the backslash become `\x1b` and the like. A line
// stays one line.
std::string printable(std::string_view text);

}  // namespace spillway
