#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "app/cli/cli.h"
#include "app/report/report.h"
#include "app/run/open_trace.h"
#include "core/ports.h"
#include "policies/list.h"
#include "runtime/paced_compute.h"

namespace spillway {

// What every run with a cache is told about it, whatever asks for the experts.
struct CacheOptions {
  Bytes cache{0};
  EvictionChoice evict = eviction_policies().known("lru");
  PrefetchChoice prefetch = prefetchers().known("none");
  uint64_t warm_up = 0;
  uint64_t seed = 1;
  std::string json;
  std::string timeline;
};

// Returns --cache, which some commands require.
Option add_cache_options(Command command, CacheOptions& options);

// What every run of a trace is told, whatever stands behind the ports.
struct RunOptions : CacheOptions {
  std::string trace;
  ComputePace compute;
  std::optional<uint64_t> tokens;
};

void add_run_options(Command command, RunOptions& options);

// What decides about the cache, checked against each other and against the source of steps.
struct Policies {
  std::unique_ptr<EvictionPolicy> eviction;
  std::unique_ptr<Prefetcher> prefetcher;
  uint64_t cache_bytes = 0;  // the budget, no more than there is to cache
};

// `source` must outlive the policies, and so must `future`, the steps of the run where they are known;
// `name` is what errors call them.
Result<Policies> make_policies(const CacheOptions& options, const SourceInfo& source, const std::string& name,
                               const StepSeries* future = nullptr);

// The parts of a run that decide, made from the options.
struct Composition {
  std::unique_ptr<OpenTrace> trace;
  Policies policies;
  std::unique_ptr<Compute> compute;
  std::string timeline;  // file to draw the run into; empty: none
};

// Whether --timeline can be written to where it is to go, asked before the run. `source`: as in
// check_json_path.
Result<void> check_timeline_path(const CacheOptions& options, const std::string& source);

Result<Composition> compose(const RunOptions& options);

// The parts that read and tell the time.
struct Storage {
  Backend& backend;
  const ExpertStore& store;
  SlotArena* arena;
  Clock& clock;
  LoaderConfig config;
};

// A report with what every run knows beforehand.
Report begin_report(std::string command, const CacheOptions& options, const Invocation& invocation);

// And with what the run of a trace knows.
Report begin_report(std::string command, const RunOptions& options, const Composition& parts,
                    const Invocation& invocation);

// Runs `source` to its end, or until `stop` says so; fills in the report's metrics, I/O counts and digest,
// and draws what happened when into the file `timeline`, if it is named.
Result<void> run_session(StepSource& source, Compute& compute, Policies& policies, const Storage& storage,
                         const std::string& timeline, FunctionRef<bool()> stop, Report& report);

// Runs the whole trace, until Ctrl-C at most, with a progress bar. `before_step` is done before each layer of
// each token.
Result<void> run_trace(
    Composition& parts, const Storage& storage, Report& report,
    FunctionRef<Result<void>()> before_step = [] { return Result<void>(); });

// Works out what the drive's speed in `report` would allow: of its own.
void add_own_ceilings(Report& report);

// And with the best of policies, which knows the tokens that ran: the first of `steps`.
Result<void> add_ceilings(const MemoryTrace& steps, uint64_t cache_bytes, Report& report);

// Table to `table` and JSON to `json` if that is a name (`-`: JSON to stdout and no table); an error when the
// run was interrupted.
Result<void> print_report(const Report& report, const std::string& json, std::FILE* table = stdout);

}  // namespace spillway
