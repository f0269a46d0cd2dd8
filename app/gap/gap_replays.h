#pragma once

#include <string>

#include "app/calibrate/drive_watch.h"
#include "app/run/replay.h"

// Replays that measure the causes of a gap.
namespace spillway {

// Returns the options of a run that is compared with the explained one: without one of the causes, and
// without output files.
RunOptions without_prefetch(RunOptions options);
RunOptions without_compute(RunOptions options);  // also without prefetch, which needs compute

// Runs the replay that is to be explained, and runs it again if the machine's host disturbed it. The drive's
// probe, the warnings and the timeline are those of the first run.
Result<Report> replay_as_asked(const ReplayOptions& options, Composition& parts, const Invocation& invocation,
                               DriveWatch* watch);

// Replays the trace again with `backend` and with the options of `run`. Writes no files.
Result<Report> replay_again(ReplayOptions options, const RunOptions& run, const BackendChoice& backend,
                            const Invocation& invocation, DriveWatch* watch = nullptr);

// Replays the trace several times and returns the least disturbed run. If even that run was disturbed,
// `explained` gets a warning that names `what`. A warm run is made only once, since each run leaves more in
// the page cache for the next.
Result<Report> undisturbed_replay(const ReplayOptions& options, const RunOptions& run,
                                  const Invocation& invocation, const std::string& what, Report& explained);

// Adds a warning to `report` if processor time was stolen during the run `disturbed`, which measures a bar of
// the explanation. `what` says in the warning what was going on.
void admit_disturbance(const Report& disturbed, const std::string& what, Report& report);

}  // namespace spillway
