#pragma once

#include <string>

#include "app/calibrate/drive_watch.h"
#include "app/run/replay.h"

// The replays that a gap is explained with.
namespace spillway {

// Of a run beside the one that is explained: without one of its causes, and without files of its own.
RunOptions without_prefetch(RunOptions options);
RunOptions without_compute(RunOptions options);  // nor prefetch, which needs it

// The run that is to be explained. What only the first of its runs has, stays: the drive's probe, what it
// warned of, and the timeline.
Result<Report> replay_as_asked(const ReplayOptions& options, Composition& parts, const Invocation& invocation,
                               DriveWatch* watch);

// The trace once more, by a backend and without some of the run's causes. Writes no files.
Result<Report> replay_again(ReplayOptions options, const RunOptions& run, const BackendChoice& backend,
                            const Invocation& invocation, DriveWatch* watch = nullptr);

// The same, the least disturbed of several; if even that one is disturbed, `explained` warns that `what` was.
// Started warm it is run once: each run leaves more in the page cache for the next.
Result<Report> undisturbed_replay(const ReplayOptions& options, const RunOptions& run,
                                  const Invocation& invocation, const std::string& what, Report& explained);

// Has `report` warn of what was stolen while `what`, which makes one of its bars.
void admit_disturbance(const Report& disturbed, const std::string& what, Report& report);

}  // namespace spillway
