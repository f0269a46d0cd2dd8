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
  bool retry = false;    // what failed before
  bool dry_run = false;  // only print the commands
};

// Runs what is not there yet of each experiment, each run a process of its own, and tables what came out. A
// run that fails, or that this machine has not got what it needs for, is recorded and not run again; only
// where none succeeded is that an error. One experiment's results go to `directory` itself, those of several
// to a folder in it each, named after their files.
Result<void> sweep(const SweepOptions& options);

}  // namespace spillway
