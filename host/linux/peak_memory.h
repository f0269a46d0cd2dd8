#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace spillway {

// The most memory that this process has had resident so far, and the huge pages of the system's pool that it
// has now, which the kernel does not count as resident. Nothing where the kernel does not tell.
std::optional<uint64_t> peak_memory_bytes();

// The same of the text of a /proc/PID/status.
std::optional<uint64_t> peak_memory_bytes(std::string_view status);

}  // namespace spillway
