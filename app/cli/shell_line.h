#pragma once

#include <span>
#include <string>

namespace spillway {

// A command line that a shell reads as `words`; one line, whatever is in them.
std::string shell_line(std::span<const std::string> words);

}  // namespace spillway
