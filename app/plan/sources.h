#pragma once

#include <optional>
#include <string>

#include "core/plugins.h"
#include "core/result.h"
#include "sim/plan/hardware.h"
#include "sim/plan/locality.h"
#include "sim/plan/model_bytes.h"
#include "sim/plan/token_time.h"

// What the planner can be told by a file instead of a preset.
namespace spillway {

// A model file's own bytes: every tensor as large as it is stored, experts by their mean over layers. Keys
// and values are taken to be of 16 bits, and of every layer to see the whole context unless the file says
// which are recurrent or look back a window.
Result<plan::ModelBytes> read_model_bytes(const std::string& gguf_path);

// A drive by its preset's name, by a rate such as 7GB/s, or by the file that `spillway calibrate` wrote of it
// (*.json): its best rate, and the median latency of its smallest reads one at a time.
Result<plan::Drive> find_drive(const std::string& text);

// What a trace tells: how often a cache of its experts would have hit, by the share of them it holds, and
// what computing took on the machine that recorded it.
struct TraceFacts {
  plan::LocalityProfile locality;
  std::optional<plan::RecordedCompute> compute;  // of a decoded token, where the trace has times
  uint64_t decode_tokens = 0;
};

// Under `policy`, as `spillway curve` counts.
Result<TraceFacts> read_trace_facts(const std::string& path, const EvictionChoice& policy);

}  // namespace spillway
