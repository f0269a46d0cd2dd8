#include "app/gap/gap_runs.h"

#include <algorithm>
#include <cmath>

#include "app/calibrate/drive_watch.h"
#include "app/gap/gap_replays.h"
#include "app/run/open_drive.h"
#include "app/run/simulation.h"
#include "host/interrupt.h"
#include "runtime/cache_run.h"
#include "sim/calibration.h"
#include "sim/devices/table.h"
#include "stores/unmade_store.h"
#include "traces/limit.h"

namespace spillway {
namespace {

double per_token(const Report& report, double amount) {
  return amount / double(std::max<uint64_t>(report.metrics.decode().tokens, 1));
}

double seconds_per_token(const Report& report) {
  return per_token(report, seconds(report.metrics.decode().wall));
}

// Returns the bytes that a policy would read for each of the tokens that `report` measured.
Result<double> missed_per_token(const Composition& parts, const EvictionChoice& policy,
                                const Report& report) {
  const PolicyEnv env{&parts.trace->steps.info(), parts.policies.cache_bytes, report.seed};
  Result<std::unique_ptr<EvictionPolicy>> made = policy.make(env);
  if (!made) {
    return propagate(made);
  }
  const std::unique_ptr<StepSource> source = parts.trace->steps.cursor();
  const uint64_t warm_up = report.metrics.warm_up().passes;
  LimitedSource same_tokens(*source, warm_up + report.metrics.decode().passes);
  Result<CacheRun> run = run_cache(same_tokens, **made, parts.policies.cache_bytes, warm_up);
  if (!run) {
    return propagate(run);
  }
  return per_token(report, double(run->decode.bytes_missed));
}

Result<void> count_bytes(const RunOptions& options, const Composition& parts, const Report& report,
                         GapEvidence& evidence) {
  evidence.cycle_bytes = per_token(report, double(report.metrics.decode().bytes_demanded));
  Result<double> own = missed_per_token(parts, options.evict, report);
  if (!own) {
    return propagate(own);
  }
  Result<double> optimal = missed_per_token(parts, eviction_policies().known("belady"), report);
  if (!optimal) {
    return propagate(optimal);
  }
  evidence.missed_bytes = *own;
  evidence.optimal_bytes = *optimal;
  return {};
}

// Copies the evidence that every report contains.
void take_facts(const RunOptions& options, const Report& report, GapEvidence& evidence) {
  evidence.achieved_s = seconds_per_token(report);
  evidence.with_prefetch_s = evidence.achieved_s;
  evidence.stall_s = per_token(report, seconds(report.metrics.decode().stall));
  evidence.best_bytes_per_s = report.ceilings.drive.bytes_per_s;
  evidence.compute_s = per_token(report, seconds(report.metrics.decode().compute()));
  evidence.computes = evidence.compute_s > 0;
  evidence.prefetches = !options.prefetch.traits.does_nothing;
  evidence.wasted_bytes = per_token(report, double(report.metrics.decode().bytes_wasted));
}

// ---- on real storage

// Runs the trace in virtual time, on the drive `made` and in the store's layout.
Result<Report> simulate_on(const RunOptions& options, const ExpertStore& store,
                           std::unique_ptr<DeviceModel> made, const SimulatedBackend::Options& limits,
                           const Invocation& invocation) {
  Result<Composition> parts = compose(options);
  if (!parts) {
    return propagate(parts);
  }
  Report report = begin_report("simulate", options, *parts, invocation);
  if (Result<void> ran = run_simulation(*parts, store, std::move(made), limits, report); !ran) {
    return propagate(ran);
  }
  if (report.interrupted) {
    return failed("interrupted while the run was simulated; nothing was explained");
  }
  return report;
}

// Returns the drive without its slow moments: each load's mean latency leaves out the longest hundredth.
AccessMethod usual_drive(AccessMethod method) {
  constexpr double kUsual = 0.99;
  for (LoadPoint& point : method.random) {
    point.mean_latency_ns = mean_up_to(kUsual, point.latency_ns);
  }
  return method;
}

// Returns the time that the drive's slow moments added to a token on average. The tokens of `real`, less
// `management_s` each, are compared with the tokens of the same run simulated.
double tail_seconds(const Report& real, double management_s, const Report& simulated) {
  const std::vector<Nanoseconds> took = real.metrics.decode().pass_latency;
  const std::vector<Nanoseconds> expected = simulated.metrics.decode().pass_latency;
  std::vector<TokenReads> tokens;
  for (size_t i = 0; i < std::min(took.size(), expected.size()); ++i) {
    tokens.push_back({seconds(took[i]) - management_s, seconds(expected[i])});
  }
  return per_token(real, slow_moments(tokens));
}

// Returns the direct backend that `backend` is compared with: `backend` itself if it reads directly, else
// io_uring, or pread where io_uring is refused.
BackendChoice direct_backend(const BackendChoice& backend) {
  if (backend.traits.is_direct) {
    return backend;
  }
  BackendChoice uring = backends().known("uring");
  const Result<std::unique_ptr<Backend>> made = uring.make({});
  const bool refused = !made && made.error().kind == ErrorKind::unavailable;
  return refused ? backends().known("pread:direct=1") : uring;
}

// Returns the share of `spent`, a time of the whole run, that falls to one decode token, in proportion to the
// experts that decode used.
double per_token_of_run(const Report& report, Nanoseconds spent) {
  const double used = double(report.metrics.total().accesses);
  const double share = used > 0 ? double(report.metrics.decode().accesses) / used : 0;
  return per_token(report, share * seconds(spent));
}

double fastest(const AccessMethod& method) {
  double best = 0;
  for (const LoadPoint& point : method.random) {
    best = std::max(best, point.bytes_per_s);
  }
  return best;
}

// The runs that explain one replay, in the order in which they are made. Each run adds its evidence.
class ReplayExplanation {
 public:
  ReplayExplanation(const ReplayOptions& options, const Invocation& invocation, Composition& parts)
      : options_(options),
        invocation_(invocation),
        parts_(parts),
        direct_(direct_backend(options.rig.backend)),
        bare_(without_compute(options.run)) {
    run_.evidence.backend = options.rig.backend.text;
  }

  Result<ExplainedRun> explain() {
    for (const auto step :
         {&ReplayExplanation::open_store, &ReplayExplanation::run_as_asked, &ReplayExplanation::run_direct,
          &ReplayExplanation::take_bandwidth, &ReplayExplanation::simulate_direct,
          &ReplayExplanation::run_without_compute, &ReplayExplanation::run_without_prefetch}) {
      if (Result<void> done = (this->*step)(); !done) {
        return propagate(done);
      }
    }
    return std::move(run_);
  }

 private:
  Result<void> open_store();
  Result<void> run_as_asked();
  Result<void> run_direct();
  Result<void> take_bandwidth();
  Result<void> simulate_direct();
  Result<void> run_without_compute();
  Result<void> run_without_prefetch();

  // True if DriveWatch can measure the drive during the run itself: the run must read as the drive is
  // measured, past the page cache, and without prefetch and compute. A measurement stops the run's clock, and
  // prefetches would go on meanwhile at no cost.
  bool is_bare() const {
    return direct_ == options_.rig.backend && options_.run.prefetch.traits.does_nothing &&
           options_.run.compute.kind == ComputePace::Kind::none;
  }
  // Repeats the replay with the options `run` and returns the time of a token.
  Result<double> repeated_s(const RunOptions& run, const std::string& what) {
    Result<Report> report = undisturbed_replay(options_, run, invocation_, what, run_.report);
    return report ? Result<double>(seconds_per_token(*report)) : propagate(report);
  }

  const ReplayOptions& options_;
  const Invocation& invocation_;
  Composition& parts_;
  const BackendChoice direct_;
  const RunOptions bare_;
  Rig planned_;  // only its store is kept
  std::optional<DriveWatch> watch_;
  std::optional<AccessMethod> measured_;  // direct reads, measured during the direct run
  std::optional<Report> direct_report_;
  ExplainedRun run_;
};

Result<void> ReplayExplanation::open_store() {
  ReplayOptions planning = options_;
  planning.rig.backend = direct_;
  if (Result<void> made = make_rig(planning, parts_, invocation_, planned_); !made) {
    return made;
  }
  const uint64_t alignment = planned_.backend->caps().alignment;
  // The runs need the cache's memory.
  planned_.arena.reset();
  planned_.backend.reset();
  planned_.memory = PageMemory();
  planned_.limits.reset();
  watch_.emplace(*planned_.store, parts_.trace->header.geometry, direct_, alignment, Nanoseconds(0),
                 options_.run.seed);
  return watch_->open();
}

Result<void> ReplayExplanation::run_as_asked() {
  Result<Report> achieved = replay_as_asked(options_, parts_, invocation_, is_bare() ? &*watch_ : nullptr);
  if (!achieved) {
    return propagate(achieved);
  }
  run_.report = std::move(*achieved);
  take_facts(options_.run, run_.report, run_.evidence);
  return {};
}

Result<void> ReplayExplanation::run_direct() {
  if (is_bare()) {
    direct_report_ = run_.report;
  } else {
    Result<Report> again = replay_again(options_, bare_, direct_, invocation_, &*watch_);
    if (!again) {
      return propagate(again);
    }
    direct_report_ = std::move(*again);
    admit_disturbance(*direct_report_, "the drive was measured by direct reads", run_.report);
  }
  run_.evidence.direct_s = seconds_per_token(*direct_report_);
  // This run has no compute, so the drive was idle only while the cache was managed.
  run_.evidence.management_s = per_token_of_run(*direct_report_, direct_report_->io.counts.idle);
  run_.evidence.moving_s = per_token_of_run(*direct_report_, direct_report_->io.counts.moving);
  Result<DeviceProfile> profile = watch_->profile();
  if (!profile) {
    return propagate(profile);
  }
  measured_ = std::move(profile->methods.front());
  return {};
}

// Raises the drive's best bandwidth to the bandwidth that was just measured, if that is higher.
Result<void> ReplayExplanation::take_bandwidth() {
  GapEvidence& evidence = run_.evidence;
  evidence.random_bytes_per_s = fastest(*measured_);
  evidence.best_bytes_per_s = std::max(evidence.best_bytes_per_s, evidence.random_bytes_per_s);
  if (evidence.best_bytes_per_s > run_.report.ceilings.drive.bytes_per_s) {
    run_.report.ceilings.drive = {evidence.best_bytes_per_s,
                                  fmt::format("{} with reads of expert size, during the run", direct_.text)};
  }
  if (Result<void> added = add_ceilings(parts_.trace->steps, parts_.policies.cache_bytes, run_.report);
      !added) {
    return added;
  }
  return count_bytes(options_.run, parts_, run_.report, evidence);
}

Result<void> ReplayExplanation::simulate_direct() {
  Result<TableDevice> table = TableDevice::make(usual_drive(*measured_), {.tail = false}, options_.run.seed);
  if (!table) {
    return propagate(table);
  }
  Result<Report> simulated =
      simulate_on(bare_, *planned_.store, std::make_unique<TableDevice>(std::move(*table)),
                  {measured_->depth, measured_->alignment}, invocation_);
  if (!simulated) {
    return propagate(simulated);
  }
  run_.evidence.barrier_s = seconds_per_token(*simulated);
  run_.evidence.tail_s = tail_seconds(*direct_report_, run_.evidence.management_s, *simulated);
  return {};
}

Result<void> ReplayExplanation::run_without_compute() {
  GapEvidence& evidence = run_.evidence;
  evidence.backend_s = evidence.direct_s;
  if (direct_ == options_.rig.backend) {
    return {};
  }
  evidence.backend_s = evidence.achieved_s;
  if (evidence.computes || evidence.prefetches) {
    Result<double> plain = repeated_s(bare_, "the run was repeated without compute");
    if (!plain) {
      return propagate(plain);
    }
    evidence.backend_s = *plain;
  }
  return {};
}

Result<void> ReplayExplanation::run_without_prefetch() {
  GapEvidence& evidence = run_.evidence;
  evidence.with_compute_s = evidence.computes ? evidence.achieved_s : evidence.backend_s;
  if (evidence.prefetches) {
    Result<double> plain =
        repeated_s(without_prefetch(options_.run), "the run was repeated without prefetch");
    if (!plain) {
      return propagate(plain);
    }
    evidence.with_compute_s = *plain;
  }
  return {};
}

}  // namespace

Result<ExplainedRun> explain_replay(const ReplayOptions& options, const Invocation& invocation) {
  Result<Composition> parts = compose(options.run);
  if (!parts) {
    return propagate(parts);
  }
  if (parts->trace->steps.decode_passes() == 0) {
    return failed("{}: has no decode tokens; record a trace with decode to explain its gap",
                  options.run.trace);
  }
  return ReplayExplanation(options, invocation, *parts).explain();
}

// ---- in virtual time

Result<ExplainedRun> explain_simulation(const SimulatedGapOptions& options, const Invocation& invocation) {
  Result<Composition> parts = compose(options.run);
  if (!parts) {
    return propagate(parts);
  }
  DriveChoice choice = options.drive;
  choice.seed = options.run.seed;
  Result<OpenDrive> drive = open_drive(choice);
  if (!drive) {
    return propagate(drive);
  }
  const ModelGeometry geometry = parts->trace->header.geometry;
  const UnmadeStore store = imagined_store(geometry, options.ranges);
  const auto simulate = [&](const RunOptions& run) {
    return simulate_on(run, store, drive->make(), drive->limits, invocation);
  };
  ExplainedRun run;
  GapEvidence& evidence = run.evidence;
  Result<Report> achieved = simulate(options.run);
  if (!achieved) {
    return propagate(achieved);
  }
  run.report = std::move(*achieved);
  run.report.config.emplace_back("device", drive->resolved);
  run.report.config.emplace_back("depth", fmt::format("{}", drive->limits.depth));
  run.report.config.emplace_back("ranges", fmt::format("{}", options.ranges));
  take_facts(options.run, run.report, evidence);
  evidence.simulated = true;
  evidence.best_bytes_per_s = drive->best_bytes_per_s();
  evidence.random_bytes_per_s =
      drive->sustained_bytes_per_s(round_up(geometry.largest_expert_bytes() / options.ranges, 4096));
  evidence.best_bytes_per_s = std::max(evidence.best_bytes_per_s, evidence.random_bytes_per_s);
  run.report.ceilings.drive = {evidence.best_bytes_per_s, fmt::format("of the model {}", drive->resolved)};
  if (Result<void> counted = count_bytes(options.run, *parts, run.report, evidence); !counted) {
    return propagate(counted);
  }
  Result<Report> bare = simulate(without_compute(options.run));
  if (!bare) {
    return propagate(bare);
  }
  evidence.barrier_s = evidence.direct_s = evidence.backend_s = seconds_per_token(*bare);
  if (choice.page_cache.count > 0) {
    evidence.backend = "the page cache";
    Result<Report> past =
        simulate_on(without_compute(options.run), store, drive->make_usual(), drive->limits, invocation);
    if (!past) {
      return propagate(past);
    }
    evidence.barrier_s = evidence.direct_s = seconds_per_token(*past);
  }
  evidence.with_compute_s = evidence.computes ? evidence.achieved_s : evidence.backend_s;
  if (evidence.prefetches) {
    Result<Report> plain = simulate(without_prefetch(options.run));
    if (!plain) {
      return propagate(plain);
    }
    evidence.with_compute_s = seconds_per_token(*plain);
  }
  if (Result<void> added = add_ceilings(parts->trace->steps, parts->policies.cache_bytes, run.report);
      !added) {
    return propagate(added);
  }
  return run;
}

}  // namespace spillway
