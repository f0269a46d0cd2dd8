#pragma once

#include <string>
#include <vector>

#include "app/sweep/experiment.h"

namespace spillway {

struct SweepOptions {
  std::vector<std::string> files;
  std::string directory;
  ExperimentOverrides overrides;
  std::string shard = "1/1";
  bool retry = false;    // run again the runs that failed
  bool dry_run = false;  // only print the commands
  bool keep_stores = false;
};

// Runs the runs of each experiment that have no result yet, each in a process of its own, and prints a table
// of the outcomes. A run that fails, or that is not available on this machine, is recorded and not repeated.
// A run that failed is an error at the end, and one that is not available is none: the last line says which
// questions were answered and what the others need. Stores that the runs made are removed at the end. The
// results of a single experiment go to `directory` itself; those of several go to folders in it that are
// named after the files.
Result<void> sweep(const SweepOptions& options);

}  // namespace spillway
