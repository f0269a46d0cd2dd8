#pragma once

#include <cstdint>

#include "core/ports.h"
#include "runtime/metrics.h"

namespace spillway {

// What a cache of `capacity_bytes` under `policy` makes of the steps when every read is instant: the pager's
// decisions without storage or time. Steps, hits and bytes are exact; durations are zero. `also`, when given,
// sees the decisions too.
struct CacheRun {
  PhaseMetrics prefill;
  PhaseMetrics decode;
  uint64_t digest = 0;  // equals that of any demand-only run with the same steps, policy and capacity
};

Result<CacheRun> run_cache(StepSource& source, EvictionPolicy& policy, uint64_t capacity_bytes,
                           uint64_t warm_up_passes = 0, Observer* also = nullptr);

}  // namespace spillway
