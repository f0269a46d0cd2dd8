#pragma once

#include <cstdint>
#include <string>

#include "core/json_fwd.h"
#include "core/result.h"
#include "traces/format.h"
#include "traces/stats.h"

namespace spillway {

// What there is to say of one trace file.
struct TraceInfo {
  std::string path;
  TraceHeader header;
  TraceStats stats;
  uint64_t file_bytes = 0;
  uint32_t blocks = 0;
  uint64_t routing_bytes = 0;
  std::string truncation;

  double per_choice(uint64_t bytes) const {
    return stats.choices == 0 ? 0 : double(bytes) / double(stats.choices);
  }
};

// Reads the whole trace. A trace that is cut off is described as far as it goes.
Result<TraceInfo> describe_trace(const std::string& path);

std::string to_table(const TraceInfo& info);
// A line for each layer.
std::string layers_table(const TraceInfo& info);

// As spillway.trace_info/1.
Json to_json(const TraceInfo& info);

}  // namespace spillway
