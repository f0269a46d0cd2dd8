#pragma once

#include <string>
#include <vector>

#include "core/result.h"

namespace spillway {

// What became of a run of this program as a process of its own.
struct ChildRun {
  int status = -1;  // its exit status; 128 + signal where that ended it
  bool timed_out = false;
  double wall_s = 0;
  std::string output;     // what it printed, the last of it where that is much
  std::string complaint;  // and on stderr
  std::string report;     // what it wrote as JSON
};

// Runs this very program with `words`, and with --json where `wants_report`. Ends it after `timeout_s` (0:
// never). Returns when it is gone: an interrupt of ours is handed on to it, and it does not outlive us. Fails
// only where it could not be started.
Result<ChildRun> run_child(const std::vector<std::string>& words, bool wants_report, double timeout_s);

}  // namespace spillway
