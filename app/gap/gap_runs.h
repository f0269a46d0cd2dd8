#pragma once

#include <string>

#include "app/report/gap.h"
#include "app/run/open_drive.h"
#include "app/run/replay.h"

namespace spillway {

// A run, and why it took as long as it did.
struct ExplainedRun {
  Report report;
  GapEvidence evidence;
};

// Replays as asked, then again with one cause after another taken away: prefetch, compute, the backend; and
// simulates what cannot be taken away from a real drive, from latencies that are measured in between.
Result<ExplainedRun> explain_replay(const ReplayOptions& options, const Invocation& invocation);

// What `spillway simulate` is told.
struct SimulatedGapOptions {
  RunOptions run;
  DriveChoice drive;
  uint32_t ranges = 1;
};

// The same of a simulated run: all of it in virtual time.
Result<ExplainedRun> explain_simulation(const SimulatedGapOptions& options, const Invocation& invocation);

}  // namespace spillway
