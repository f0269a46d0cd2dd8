#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/result.h"

// Making files cold, and showing that they are.
namespace spillway {

// Writes what is dirty and asks the kernel to forget the files' pages. Pages that someone has mapped and
// touched stay: cached_bytes() tells.
Result<void> drop_page_cache(std::span<const std::string> files);

// How much of a file is in memory at this moment.
Result<uint64_t> cached_bytes(const std::string& path);

}  // namespace spillway
