#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "app/cli/cli.h"
#include "app/report/report.h"
#include "app/run/listed_options.h"
#include "app/run/open_trace.h"
#include "core/ports.h"
#include "policies/list.h"
#include "runtime/paced_compute.h"

namespace spillway {

// Options of every run with a cache, wherever its steps come from.
struct CacheOptions {
  Bytes cache{0};
  std::optional<double> cache_share;  // of the bytes of all experts; takes the place of `cache`
  EvictionChoice evict = eviction_policies().known("lru");
  PrefetchChoice prefetch = prefetchers().known("none");
  uint64_t warm_up = 0;
  uint64_t seed = 1;
  std::string json;
  std::string timeline;
};

// Declares the options and returns --cache, which some commands require. With `listed`, the command takes
// several sizes, policies and prefetchers.
Option add_cache_options(Command command, CacheOptions& options, ListedOptions* listed = nullptr);

// Returns the size of the cache for a model of that shape.
Bytes cache_size(const CacheOptions& options, const ModelGeometry& geometry);

// Options of every run of a trace, on real and on simulated storage.
struct RunOptions : CacheOptions {
  std::string trace;
  ComputePace compute;
  std::optional<uint64_t> tokens;
};

void add_run_options(Command command, RunOptions& options, ListedOptions* listed = nullptr);

// The parts that decide about the cache, checked against each other and against the source of steps.
struct Policies {
  std::unique_ptr<EvictionPolicy> eviction;
  std::unique_ptr<Prefetcher> prefetcher;
  uint64_t cache_bytes = 0;  // the budget, at most the bytes of all experts
};

// Makes the policies. `source` must outlive them, and so must `future`, the steps of the run if they are
// known. Errors call the source `name`.
Result<Policies> make_policies(const CacheOptions& options, const SourceInfo& source, const std::string& name,
                               const StepSeries* future = nullptr);

// The parts of a run that make decisions, built from the options.
struct Composition {
  std::unique_ptr<OpenTrace> trace;
  Policies policies;
  std::unique_ptr<Compute> compute;
  std::string timeline;  // file to draw the run into; empty: none
};

// Fails if --timeline cannot be written to its place; called before the run. `source`: as
// in check_json_path().
Result<void> check_timeline_path(const CacheOptions& options, const std::string& source);

Result<Composition> compose(const RunOptions& options);

// The same with the trace that open_trace() opened from the same options.
Result<Composition> compose(const RunOptions& options, std::unique_ptr<OpenTrace> trace);

// Fails if the outputs cannot be written to their places.
Result<void> check_outputs(const RunOptions& options);

// The parts that read and that keep the time.
struct Storage {
  Backend& backend;
  const ExpertStore& store;
  SlotArena* arena;
  Clock& clock;
  LoaderConfig config;
};

// Returns a report with everything that any run knows beforehand.
Report begin_report(std::string command, const CacheOptions& options, const Invocation& invocation);

// Returns a report with everything that the run of a trace knows beforehand.
Report begin_report(std::string command, const RunOptions& options, const Composition& parts,
                    const Invocation& invocation);

// Runs `source` to its end, or until `stop` returns true. Fills in the report's metrics, I/O counts and
// digest, and draws the timeline into the file `timeline` unless that is empty.
Result<void> run_session(StepSource& source, Compute& compute, Policies& policies, const Storage& storage,
                         const std::string& timeline, FunctionRef<bool()> stop, Report& report);

// Runs the whole trace, or until Ctrl-C, with a progress bar. Calls `before_step` before each
// layer of each token.
Result<void> run_trace(
    Composition& parts, const Storage& storage, Report& report,
    FunctionRef<Result<void>()> before_step = [] { return Result<void>(); });

// Adds the seed and policy ceilings: tokens per second at the drive's speed, with no cache and with
// this run's own misses.
void add_own_ceilings(Report& report);

// Adds these and the physical ceiling: the same with the misses of Belady's policy over the tokens that ran,
// the first of `steps`.
Result<void> add_ceilings(const MemoryTrace& steps, uint64_t cache_bytes, Report& report);

// Prints the table to `table` and writes the JSON to the file `json` unless that is empty. With `-` the JSON
// goes to stdout and there is no table. Fails if the run was interrupted.
Result<void> print_report(const Report& report, const std::string& json, std::FILE* table = stdout);

}  // namespace spillway
