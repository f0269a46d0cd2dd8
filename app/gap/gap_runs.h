#pragma once

#include <string>

#include "app/report/gap.h"
#include "app/run/open_drive.h"
#include "app/run/replay.h"

namespace spillway {

// A run, and the evidence that explains its time.
struct ExplainedRun {
  Report report;
  GapEvidence evidence;
};

// Replays the trace as asked, and again with one cause after another taken away: prefetch, compute, the
// backend. Causes that a real drive cannot be without are simulated, with latencies that are measured during
// the run.
Result<ExplainedRun> explain_replay(const ReplayOptions& options, const Invocation& invocation);

// The options of a simulated run, as `spillway simulate` takes them.
struct SimulatedGapOptions {
  RunOptions run;
  DriveChoice drive;
  uint32_t ranges = 1;
};

// Explains a simulated run. All its runs are in virtual time.
Result<ExplainedRun> explain_simulation(const SimulatedGapOptions& options, const Invocation& invocation);

}  // namespace spillway
