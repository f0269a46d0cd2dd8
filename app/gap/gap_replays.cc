#include "app/gap/gap_replays.h"

#include <optional>

#include "app/report/least_disturbed.h"

namespace spillway {
namespace {

RunOptions beside(RunOptions options) {
  options.json.clear();
  options.timeline.clear();
  return options;
}

}  // namespace

RunOptions without_prefetch(RunOptions options) {
  options.prefetch = prefetchers().known("none");
  return beside(std::move(options));
}

RunOptions without_compute(RunOptions options) {
  options.compute = {};
  return without_prefetch(std::move(options));
}

Result<Report> replay_again(ReplayOptions options, const RunOptions& run, const BackendChoice& backend,
                            const Invocation& invocation, DriveWatch* watch) {
  options.run = beside(run);
  options.rig.backend = backend;
  options.rig.no_probe = true;
  Result<Composition> parts = compose(options.run);
  if (!parts) {
    return propagate(parts);
  }
  Rig rig;
  if (Result<void> made = make_rig(options, *parts, invocation, rig); !made) {
    return propagate(made);
  }
  Result<Report> report = replay(options, *parts, rig, invocation, watch);
  if (report && report->interrupted) {
    return failed("interrupted while the run was repeated; nothing was explained");
  }
  return report;
}

void admit_disturbance(const Report& disturbed, const std::string& what, Report& report) {
  if (is_disturbed(disturbed)) {
    report.warnings.push_back(fmt::format("the machine's host took {:.1f} % of a core's time away while {}",
                                          100 * *stolen_share(disturbed), what));
  }
}

Result<Report> undisturbed_replay(const ReplayOptions& options, const RunOptions& run,
                                  const Invocation& invocation, const std::string& what, Report& explained) {
  const auto once = [&] { return replay_again(options, run, options.rig.backend, invocation); };
  if (options.rig.warm) {
    return once();
  }
  Result<LeastDisturbed> best = least_disturbed(once);
  if (!best) {
    return propagate(best);
  }
  admit_disturbance(best->report, what, explained);
  return std::move(best->report);
}

Result<Report> replay_as_asked(const ReplayOptions& options, Composition& parts, const Invocation& invocation,
                               DriveWatch* watch) {
  std::optional<Report> first;
  const auto once = [&]() -> Result<Report> {
    if (first) {
      return replay_again(options, options.run, options.rig.backend, invocation);
    }
    Rig rig;
    if (Result<void> made = make_rig(options, parts, invocation, rig); !made) {
      return propagate(made);
    }
    Result<Report> report = replay(options, parts, rig, invocation, watch);
    if (report && report->interrupted) {
      return failed("interrupted during the first run; nothing was explained");
    }
    if (report) {
      first = *report;
    }
    return report;
  };
  if (watch != nullptr || options.rig.warm) {
    return once();
  }
  Result<LeastDisturbed> best = least_disturbed(once);
  if (!best || best->runs == 1) {
    return best ? Result<Report>(std::move(best->report)) : propagate(best);
  }
  Report report = std::move(best->report);
  report.ceilings.drive = first->ceilings.drive;
  report.failed_output = first->failed_output;
  report.warnings = first->warnings;
  report.warnings.push_back(fmt::format(
      "of {} runs, this is the one from which the machine's host stole the least processor time{}",
      best->runs, options.run.timeline.empty() ? "" : "; --timeline shows the first run"));
  return report;
}

}  // namespace spillway
