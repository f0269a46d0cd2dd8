#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/result.h"

// Makes files cold, and shows that they are.
namespace spillway {

// Writes dirty pages of the files and asks the kernel to drop all their pages. Pages that a process has
// mapped and touched stay; cached_bytes() counts them.
Result<void> drop_page_cache(std::span<const std::string> files);

// Returns the bytes of a file that are in memory at this moment.
Result<uint64_t> cached_bytes(const std::string& path);

}  // namespace spillway
