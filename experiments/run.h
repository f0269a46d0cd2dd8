#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/plugin.h"
#include "core/ports.h"
#include "experiments/cli.h"
#include "experiments/open_trace.h"
#include "experiments/report.h"
#include "runtime/paced_compute.h"

namespace spillway {

// What every run of a trace is told, whatever stands behind the ports.
struct RunOptions {
  std::string trace;
  Bytes cache{0};
  std::string evict = "lru";
  std::string prefetch = "none";
  std::string compute = "none";
  std::optional<uint64_t> tokens;
  uint64_t warm_up = 0;
  uint64_t seed = 1;
  std::string json;
};

void add_run_options(CLI::App& command, RunOptions& options);

// The parts of a run that decide, made from the options and checked against each other and against the trace.
struct Composition {
  std::unique_ptr<OpenTrace> trace;
  Made<EvictionPolicy> eviction;
  Made<Prefetcher> prefetcher;
  ComputePace pace;
  std::unique_ptr<Compute> compute;
  uint64_t cache_bytes = 0;  // the budget, no more than there is to cache
};

Result<Composition> compose(const RunOptions& options);

// The parts that read and tell the time.
struct Storage {
  Backend& backend;
  const ExpertStore& store;
  SlotArena* arena;
  Clock& clock;
  LoaderConfig config;
};

// A report with everything that is known before the run.
Report begin_report(std::string command, const RunOptions& options, const Composition& parts,
                    const Invocation& invocation);

// Runs the whole trace, until Ctrl-C at most, with a progress bar; fills in the report's metrics, I/O counts
// and digest.
Result<void> run_trace(Composition& parts, const Storage& storage, Report& report);

// Works out what the drive's speed in `report` would allow.
Result<void> add_ceilings(const Composition& parts, const RunOptions& options, Report& report);

// Table to stdout and JSON to where it was asked for; an error when the run was interrupted.
Result<void> print_report(const Report& report, const RunOptions& options);

}  // namespace spillway
