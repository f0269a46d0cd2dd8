#pragma once

#include <string>

#include "core/result.h"

namespace spillway {

// All that is in a file: text that somebody wrote, and no more than memory holds.
Result<std::string> read_whole(const std::string& path);

}  // namespace spillway
