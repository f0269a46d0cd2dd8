#pragma once

#include <span>
#include <string>

namespace spillway {

// Returns a command line that a shell reads as `words`. It is one line, whatever the words contain.
std::string shell_line(std::span<const std::string> words);

}  // namespace spillway
