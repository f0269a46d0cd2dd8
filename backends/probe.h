#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/function_ref.h"
#include "core/ports.h"
#include "core/result.h"
#include "core/units.h"

namespace spillway {

// The best speed that a drive reached, and how.
struct ProbeResult {
  double bytes_per_second = 0;
  std::string setting;             // the best setting: `io_uring, 2MiB reads, 8 in flight`
  uint64_t bytes_requested = 0;    // by the whole probe
  uint64_t bytes_from_device = 0;  // as the kernel counts; fewer than requested if a cache served the rest
};

// Reads the files at random for about `duration`, past the page cache, with several block sizes and depths,
// and reports the fastest: the ceiling for what a run can read from the same files. The reads go into
// `memory`, which stays the caller's: at least 64 KiB, 64 MiB for a useful result, and best of huge pages
// that were touched. Uses io_uring or, if that is refused, threads with pread. The error is unavailable() if
// the page cache cannot be bypassed.
Result<ProbeResult> probe_drive(std::span<const std::string> files, Nanoseconds duration,
                                std::span<std::byte> memory);

// As probe_drive(), with backends of the caller: `make` is given the backend's name with its options.
using MakeProbeBackend = FunctionRef<Result<std::unique_ptr<Backend>>(const std::string&)>;
Result<ProbeResult> probe_drive(std::span<const std::string> files, Nanoseconds duration,
                                std::span<std::byte> memory, MakeProbeBackend make);

}  // namespace spillway
