#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "core/result.h"
#include "core/units.h"

namespace spillway {

// The best that a drive was seen to do.
struct ProbeResult {
  double bytes_per_second = 0;
  std::string setting;             // how: `uring, 2 MiB reads, 8 in flight`
  uint64_t bytes_requested = 0;    // by the whole probe
  uint64_t bytes_from_device = 0;  // of them, as the kernel counts; fewer: something served them from memory
};

// Reads the files at random for about `duration`, past the page cache, with several block sizes and depths,
// and reports the fastest: the ceiling for what a run reads from the same files. `memory` is where the bytes
// go, best of huge pages that were touched; at least 64 KiB, and 64 MiB to be of use. Uses io_uring or, where
// that is refused, threads with pread; unavailable() where the page cache cannot be bypassed.
Result<ProbeResult> probe_drive(std::span<const std::string> files, Nanoseconds duration,
                                std::span<std::byte> memory);

}  // namespace spillway
