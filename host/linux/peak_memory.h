#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace spillway {

// Returns the most memory in bytes that this process has had resident so far, plus the huge pages of
// the system's pool that it has now, which the kernel does not count as resident. Nothing if the
// kernel does not report it.
std::optional<uint64_t> peak_memory_bytes();

// Returns the same from the text of a /proc/PID/status.
std::optional<uint64_t> peak_memory_bytes(std::string_view status);

}  // namespace spillway
