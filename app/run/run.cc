#include "app/run/run.h"

#include <algorithm>
#include <cstdio>

#include "app/cli/progress.h"
#include "app/report/host.h"
#include "app/report/timeline.h"
#include "core/digest.h"
#include "policies/list.h"
#include "runtime/cache_run.h"
#include "runtime/session.h"
#include "traces/identity.h"
#include "traces/limit.h"

namespace spillway {

Option add_cache_options(Command command, CacheOptions& options, ListedOptions* listed) {
  const auto read_cache = [&options](const std::string& text) -> Result<void> {
    options.cache_share.reset();
    if (!text.ends_with('%')) {
      return read_option(text, options.cache);
    }
    Result<double> percent = parse_real(text.substr(0, text.size() - 1), {0, 100});
    if (!percent) {
      return wrong_usage("'{}' is not a share of all experts; write it like 60%", text);
    }
    options.cache_share = *percent / 100;
    return {};
  };
  Option cache = add_listed(command, listed, "cache", exact_bytes(options.cache), read_cache, {},
                            "Memory for experts, as 10GB or as a share of all experts like 60%;\n"
                            "0: every expert is read each time it is used");
  cache.type_name("SIZE");
  add_listed_plugin(command, listed, "evict", options.evict, eviction_policies(),
                    "Eviction policy (see: spillway list policies)")
      .show_default()
      .type_name("POLICY");
  add_listed_plugin(command, listed, "prefetch", options.prefetch, prefetchers(),
                    "Prefetcher (see: spillway list prefetchers)")
      .show_default()
      .type_name("PREFETCHER");
  command.count("--warm-up", {}, options.warm_up, "Decode tokens to run before measuring").show_default();
  command
      .count("--seed", {}, options.seed,
             "Seed of every random choice: random eviction, oracle prefetcher, sampling,\n"
             "simulated latency tails")
      .show_default();
  command
      .output("--json", options.json,
              "Write the report as JSON to this file; - writes it to stdout instead of the table")
      .type_name("FILE");
  command
      .output("--timeline", options.timeline,
              "Write a timeline of the run to this file, for Perfetto (ui.perfetto.dev) or chrome://tracing")
      .type_name("FILE");
  return cache;
}

void add_run_options(Command command, RunOptions& options, ListedOptions* listed) {
  command.text("trace", options.trace, "A trace file (see: spillway trace)").required().type_name("TRACE");
  add_cache_options(command, options, listed).required();
  const auto read_pace = [&options](const std::string& text) -> Result<void> {
    Result<ComputePace> pace = parse_compute(text);
    if (!pace) {
      return propagate(pace);
    }
    options.compute = *pace;
    return {};
  };
  command
      .parsed("--compute", describe(options.compute), read_pace,
              "Compute time between reads: none, recorded, a factor of the recorded like 0.5x,\n"
              "or a time per layer like 2ms")
      .show_default();
  command.count("--tokens", {.least = 1}, options.tokens, "Run only the first N decode tokens of the trace");
}

Bytes cache_size(const CacheOptions& options, const ModelGeometry& geometry) {
  return options.cache_share ? Bytes{uint64_t(*options.cache_share * double(geometry.total_bytes()))}
                             : options.cache;
}

Result<Policies> make_policies(const CacheOptions& options, const SourceInfo& source, const std::string& name,
                               const StepSeries* future) {
  const ModelGeometry& geometry = source.geometry;
  const Bytes cache = cache_size(options, geometry);
  const uint64_t least = geometry.largest_token_step_bytes();
  if (cache.count > 0 && cache.count < least) {
    return wrong_usage(
        "--cache {}: one step of {} needs {} ({} experts of {}); give at least that much, or 0 for no cache",
        exact_bytes(cache), name, format_bytes(least), geometry.used_top_k,
        format_bytes(geometry.largest_expert_bytes()));
  }
  if (cache.count == 0 && !options.prefetch.traits.does_nothing) {
    return wrong_usage(
        "--prefetch {}: without a cache there is nowhere to put what is prefetched; give --cache a size",
        options.prefetch.text);
  }
  Policies policies;
  policies.cache_bytes = std::min(cache.count, geometry.total_bytes());
  const PolicyEnv env{&source, policies.cache_bytes, options.seed, future};
  Result<std::unique_ptr<EvictionPolicy>> eviction = options.evict.make(env);
  if (!eviction) {
    return propagate(eviction);
  }
  policies.eviction = std::move(*eviction);
  Result<std::unique_ptr<Prefetcher>> prefetcher = options.prefetch.make(env);
  if (!prefetcher) {
    return propagate(prefetcher);
  }
  policies.prefetcher = std::move(*prefetcher);
  return policies;
}

Result<void> check_outputs(const RunOptions& options) {
  Result<void> writable = check_json_path(options.json, options.trace);
  return writable ? check_timeline_path(options, options.trace) : writable;
}

Result<Composition> compose(const RunOptions& options) {
  if (Result<void> writable = check_outputs(options); !writable) {
    return propagate(writable);
  }
  Result<OpenTrace> trace = open_trace(options.trace, options.tokens);
  return trace ? compose(options, std::make_unique<OpenTrace>(std::move(*trace))) : propagate(trace);
}

Result<Composition> compose(const RunOptions& options, std::unique_ptr<OpenTrace> trace) {
  Composition parts;
  parts.timeline = options.timeline;
  parts.trace = std::move(trace);
  if (options.warm_up >= parts.trace->steps.decode_passes() && options.warm_up > 0) {
    return wrong_usage("--warm-up {}: the run has only {} decode tokens", options.warm_up,
                       parts.trace->steps.decode_passes());
  }
  const SourceInfo& info = parts.trace->steps.info();
  Result<Policies> policies = make_policies(options, info, options.trace, &parts.trace->steps);
  if (!policies) {
    return propagate(policies);
  }
  parts.policies = std::move(*policies);
  Result<std::unique_ptr<Compute>> compute = make_paced_compute(options.compute, info);
  if (!compute) {
    return propagate(compute);
  }
  parts.compute = std::move(*compute);
  return parts;
}

Result<void> check_timeline_path(const CacheOptions& options, const std::string& source) {
  if (options.timeline == "-") {
    return wrong_usage("--timeline -: a timeline cannot go to stdout, which is for the report; name a file");
  }
  return check_output_path("--timeline", options.timeline, source);
}

Report begin_report(std::string command, const CacheOptions& options, const Invocation& invocation) {
  Report report;
  report.command = std::move(command);
  report.command_line = invocation.command_line;
  report.date = utc_date();
  report.host = describe_host();
  report.seed = options.seed;
  report.traits = {options.evict.traits, options.prefetch.traits};
  report.metrics = Metrics(options.warm_up);
  report.config = {{"cache_bytes", fmt::format("{}", options.cache.count)},
                   {"evict", options.evict.resolved},
                   {"prefetch", options.prefetch.resolved},
                   {"warm_up", fmt::format("{}", options.warm_up)}};
  return report;
}

Report begin_report(std::string command, const RunOptions& options, const Composition& parts,
                    const Invocation& invocation) {
  Report report = begin_report(std::move(command), options, invocation);
  report.trace_path = options.trace;
  report.identity.trace = trace_identity(options.trace).value_or("");
  report.model = parts.trace->header.model;
  report.geometry = parts.trace->header.geometry;
  report.config.front().second = fmt::format("{}", cache_size(options, report.geometry).count);
  report.config.emplace_back("compute", describe(options.compute));
  report.config.emplace_back("tokens", options.tokens ? fmt::format("{}", *options.tokens) : "all");
  const bool no_compute = options.compute.kind == ComputePace::Kind::none ||
                          (options.compute.kind == ComputePace::Kind::recorded && options.compute.scale == 0);
  if (no_compute && !options.prefetch.traits.does_nothing) {
    report.warnings.emplace_back(
        "nothing is prefetched without --compute: the drive has no idle time that a prefetch could use");
  }
  if (!parts.trace->truncation.empty()) {
    report.warnings.push_back(fmt::format("the trace is incomplete: {}", parts.trace->truncation));
  }
  return report;
}

Result<void> run_session(StepSource& source, Compute& compute, Policies& policies, const Storage& storage,
                         const std::string& timeline, FunctionRef<bool()> stop, Report& report) {
  const ModelGeometry& geometry = source.info().geometry;
  DecisionDigest digest;
  std::unique_ptr<Timeline> drawn;
  if (!timeline.empty()) {
    Result<std::unique_ptr<Timeline>> made = Timeline::create(timeline, geometry, report.command_line);
    if (!made) {
      return propagate(made);
    }
    drawn = std::move(*made);
  }
  Observers observers(report.metrics, digest,
                      drawn ? std::vector<Observer*>{drawn.get()} : std::vector<Observer*>());
  Pager pager(geometry, {.capacity_bytes = policies.cache_bytes}, *policies.eviction, observers);
  Loader loader(geometry, storage.store, storage.backend, storage.arena, pager, storage.clock, observers,
                storage.config);
  Session session({source, *policies.prefetcher, pager, loader, compute, storage.clock, observers});
  const double cpu_before = process_cpu_seconds();
  const std::optional<double> stolen_before = stolen_cpu_seconds();
  Result<void> ran = session.run(stop);
  report.io.cpu_s = process_cpu_seconds() - cpu_before;
  if (const std::optional<double> stolen = stolen_cpu_seconds();
      stolen && stolen_before && !report.virtual_time) {
    report.io.stolen_cpu_s = *stolen - *stolen_before;
  }
  report.io.counts = loader.counts();
  report.io.wall = report.metrics.total().wall;
  report.io.arena_moved_bytes = storage.arena == nullptr ? 0 : storage.arena->moved_bytes();
  report.digest = digest.hex();
  if (Result<void> finished = drawn ? drawn->finish() : Result<void>(); !finished) {
    report.failed_output = fmt::format("--timeline {}", finished.error().message);
  }
  if (!ran && interrupted() && !storage.backend.caps().fault.empty()) {
    // The drive does not answer any more. What ran before is still worth printing.
    report.interrupted = true;
    report.warnings.push_back(ran.error().message);
    return {};
  }
  return ran;
}

Result<void> run_trace(Composition& parts, const Storage& storage, Report& report,
                       FunctionRef<Result<void>()> before_step) {
  const std::unique_ptr<StepSource> source = parts.trace->steps.cursor();
  const uint64_t passes = parts.trace->steps.decode_passes();
  Progress progress("decoding", std::max<uint64_t>(passes, 1), Progress::Unit::tokens);
  Result<void> done;
  const auto stop = [&] {
    progress.at(report.metrics.decode_passes());
    report.interrupted = interrupted();
    if (!report.interrupted) {
      done = before_step();
    }
    if (interrupted()) {  // in before_step(): the part that ran is still worth printing
      report.interrupted = true;
      done = {};
    }
    return report.interrupted || !done;
  };
  Result<void> ran =
      run_session(*source, *parts.compute, parts.policies, storage, parts.timeline, stop, report);
  return ran ? done : ran;
}

namespace {

// Returns the tokens per second if each token's compute overlapped perfectly with reading `bytes` in all.
std::optional<double> ceiling(const Report& report, double bytes) {
  const PhaseMetrics& decode = report.metrics.decode();
  const double time = std::max(seconds(decode.compute()), bytes / report.ceilings.drive.bytes_per_s);
  return time > 0 ? std::optional(double(decode.tokens) / time) : std::nullopt;
}

bool has_ceilings(const Report& report) {
  return report.ceilings.drive.bytes_per_s > 0 && report.metrics.decode().tokens > 0;
}

}  // namespace

void add_own_ceilings(Report& report) {
  if (!has_ceilings(report)) {
    return;
  }
  const PhaseMetrics& decode = report.metrics.decode();
  report.ceilings.seed_tok_per_s =
      report.ceilings.drive.bytes_per_s / double(report.geometry.token_cycle_bytes());
  // A useful prefetch is a miss that was read early. Bytes prefetched for nothing are not needed,
  // so they do not count.
  report.ceilings.policy_tok_per_s =
      ceiling(report, double(decode.bytes_missed + decode.bytes_prefetched - decode.bytes_wasted));
}

Result<void> add_ceilings(const MemoryTrace& steps, uint64_t cache_bytes, Report& report) {
  add_own_ceilings(report);
  if (!has_ceilings(report)) {
    return {};
  }
  // Runs Belady's policy over the same tokens: those that ran, with the same warm-up.
  const PolicyEnv env{&steps.info(), cache_bytes, report.seed};
  Result<std::unique_ptr<EvictionPolicy>> belady = eviction_policies().known("belady").make(env);
  if (!belady) {
    return propagate(belady);
  }
  const std::unique_ptr<StepSource> source = steps.cursor();
  const uint64_t warm_up = report.metrics.warm_up().passes;
  LimitedSource same_tokens(*source, warm_up + report.metrics.decode().passes);
  Result<CacheRun> optimum = run_cache(same_tokens, **belady, cache_bytes, warm_up);
  if (!optimum) {
    return propagate(optimum);
  }
  report.ceilings.physical_tok_per_s = ceiling(report, double(optimum->decode.bytes_missed));
  return {};
}

Result<void> print_report(const Report& report, const std::string& json, std::FILE* table) {
  // Writes the file first: it must not be lost if the reader of the table has gone away.
  Result<void> written;
  if (!json.empty()) {
    written = write_json(report, json);
  }
  if (json != "-") {
    fmt::print(table, "{}", to_table(report));
  }
  if (!written) {
    return written;
  }
  if (report.interrupted) {
    return failed("interrupted after {} decode tokens; the report covers these",
                  report.metrics.decode().tokens);
  }
  if (!report.failed_output.empty()) {
    return failed("{}", report.failed_output);
  }
  return {};
}

}  // namespace spillway
