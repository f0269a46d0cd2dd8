#pragma once

#include <optional>
#include <string>

#include "core/plugins.h"
#include "core/result.h"
#include "sim/plan/hardware.h"
#include "sim/plan/locality.h"
#include "sim/plan/model_bytes.h"
#include "sim/plan/token_time.h"

// Files that the planner can read instead of a preset.
namespace spillway {

// Reads the bytes of a model file: every tensor as large as it is stored, and an expert as large as the mean
// over all layers. Keys and values are assumed to have 16 bits. Every layer is assumed to see the whole
// context, unless the file says which layers are recurrent or look back a window.
Result<plan::ModelBytes> read_model_bytes(const std::string& gguf_path);

// Finds a drive by the name of its preset, by a rate such as 7GB/s, or by the file that `spillway calibrate`
// wrote (*.json). The file gives the drive's best rate and the median latency of its smallest reads at the
// lowest depth.
Result<plan::Drive> find_drive(const std::string& text);

// Facts from a trace: how often a cache of its experts would have hit, for each share of the experts that the
// cache holds, and how long the recording machine computed.
struct TraceFacts {
  plan::LocalityProfile locality;
  std::optional<plan::RecordedCompute> compute;  // for a decoded token, if the trace has times
  uint64_t decode_tokens = 0;
};

// Reads the facts from the trace at `path`. Hits are counted for `policy` in the way of `spillway curve`.
Result<TraceFacts> read_trace_facts(const std::string& path, const EvictionChoice& policy);

}  // namespace spillway
