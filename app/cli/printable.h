#pragma once

#include <string>
#include <string_view>

namespace spillway {

// Returns text from a file or the command line in a form that is safe on a terminal. Control characters,
// invisible characters, those that turn the direction of text, bytes that are not UTF-8, and the backslash
// become `\x1b` and the like. A line stays one line.
std::string printable(std::string_view text);

}  // namespace spillway
