#pragma once

#include <cstdint>
#include <string>

#include "app/run/run.h"
#include "core/function_ref.h"

// Several runs with one command: every combination of listed values, each several times.
namespace spillway {

struct RepeatOptions {
  ListedOptions listed;  // filled by add_run_options() and its like
  uint32_t runs = 1;
  std::string format = "table";

  // True if the command asks for a table of runs. Otherwise it makes one run with one report.
  bool is_asked() const;
};

void add_repeat_options(Command command, RepeatOptions& options);

// The help of listed values, for the footer of a command.
extern const char* const kListedHelp;

// Runs every combination of the listed values `options.runs` times, and prints one table of all. The
// repetitions are interleaved: each combination runs once, then each again, so that a drive that changes
// its speed changes all alike. Repetition N has the seed of `run` + N − 1. `once` makes a run from the parts,
// which are composed of `run`; all combinations are composed before the first runs. If a run fails or is
// interrupted, the table has the runs before it.
Result<void> repeat(const RepeatOptions& options, RunOptions& run, const Invocation& invocation,
                    FunctionRef<Result<Report>(Composition& parts)> once);

}  // namespace spillway
