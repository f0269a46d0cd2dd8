#pragma once

#include <string>
#include <string_view>

namespace spillway {

// Text from a file or the command line as a terminal may see it: control characters, what turns the direction
// of text, and bytes that are not UTF-8 become `\x1b` and the like. A line stays one line.
std::string printable(std::string_view text);

}  // namespace spillway
