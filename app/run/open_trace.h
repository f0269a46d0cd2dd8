#pragma once

#include <optional>
#include <string>

#include "traces/format.h"
#include "traces/memory_trace.h"

namespace spillway {

// A trace in memory, with the next uses that Belady and the ceilings need: the form in which
// every command runs it.
struct OpenTrace {
  std::string path;
  TraceHeader header;
  MemoryTrace steps;
  std::string truncation;  // where the file was cut off; empty: the file is complete
};

// Opens the trace at `path`, or only its first `tokens` decode tokens.
Result<OpenTrace> open_trace(const std::string& path, std::optional<uint64_t> tokens);

}  // namespace spillway
