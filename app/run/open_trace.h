#pragma once

#include <optional>
#include <string>

#include "traces/format.h"
#include "traces/memory_trace.h"

namespace spillway {

// A trace as every command that runs one wants it: in memory, with the next uses that Belady and the ceilings
// need.
struct OpenTrace {
  std::string path;
  TraceHeader header;
  MemoryTrace steps;
  std::string truncation;  // where the file was cut off; empty: it was not
};

// `tokens`: only the first so many decode tokens.
Result<OpenTrace> open_trace(const std::string& path, std::optional<uint64_t> tokens);

}  // namespace spillway
