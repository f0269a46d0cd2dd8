#pragma once

#include <cstdint>

#include "core/ports.h"
#include "runtime/metrics.h"

namespace spillway {

// The result of running steps against a cache with instant reads: the pager's decisions without storage or
// time. Counts of steps, hits and bytes are exact; durations are zero.
struct CacheRun {
  PhaseMetrics prefill;
  PhaseMetrics decode;
  uint64_t digest = 0;  // equals that of any demand-only run with the same steps, policy and capacity
};

// Runs all steps of `source` through a cache of `capacity_bytes` under `policy`. The first `warm_up_passes`
// decode passes are not measured. `also`, unless null, sees the decisions too.
Result<CacheRun> run_cache(StepSource& source, EvictionPolicy& policy, uint64_t capacity_bytes,
                           uint64_t warm_up_passes = 0, Observer* also = nullptr);

}  // namespace spillway
