#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/function_ref.h"
#include "core/result.h"

namespace spillway {

// The outcome of a run of this program in a process of its own.
struct ChildRun {
  int status = -1;  // the exit status; 128 + the signal if a signal ended the child
  bool timed_out = false;
  double wall_s = 0;
  std::string output;     // stdout; only the end of a long text
  std::string complaint;  // stderr; only the end of a long text
  std::string report;     // the report as JSON
};

// Runs this program as a child with the arguments `words`, and with --json if `wants_report`. Calls `hear`
// with each line that the child prints on stderr, as soon as the line is whole. Ends the child after
// `timeout_s` seconds (0: never). Returns when the child has ended. An interrupt of this program is passed
// on to the child, and the child does not outlive this program. Fails only if the child cannot be started.
Result<ChildRun> run_child(const std::vector<std::string>& words, bool wants_report, double timeout_s,
                           FunctionRef<void(std::string_view line)> hear);

}  // namespace spillway
