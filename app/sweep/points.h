#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "app/cli/command.h"
#include "app/sweep/experiment.h"

namespace spillway {

// Pairs of an axis and its value as JSON text.
using PointOf = std::vector<std::pair<std::string, std::string>>;

// One run of an experiment. Its words still contain {made}, {stores} and {here}: their values differ from
// machine to machine, while the run is the same.
struct PlannedRun {
  PointOf point;
  RunCommand command;
  uint32_t repetition = 1;
  std::string key;  // the name of the result; the same only for the same run of the same experiment
};

// Returns all runs, in the order in which one machine makes them.
Result<std::vector<PlannedRun>> plan_runs(const Experiment& experiment);

// The commands of `make` with the words of `let` filled in, and the name of the directory that they write to.
struct MakePlan {
  std::vector<RunCommand> commands;
  std::string key;
};
Result<MakePlan> plan_make(const Experiment& experiment);

struct Shard {
  uint32_t index = 1;  // 1 is the first
  uint32_t count = 1;
};

// Parses a shard such as `2/8`.
Result<Shard> parse_shard(const std::string& text);

// Returns the shard's part of `runs`, in their order. The parts are the same on every machine, and their
// sizes differ by at most one run. The runs are distributed without regard to the axes, so a slow machine
// slows down no single value of an axis.
std::vector<PlannedRun> part_of(std::vector<PlannedRun> runs, Shard shard);

// Replaces each {name} by its value in `values`. Names in `kept` are left as they are; any other name is
// an error.
Result<std::string> fill_in(const std::string& text, const std::map<std::string, std::string>& values,
                            const std::vector<std::string>& kept = {});

// Writes command lines of this program.
class CommandWriter {
 public:
  CommandWriter();

  // Returns the words after the program's name, and checks them against the options of this program. An
  // unknown option, or an option with an invalid value, is an error.
  Result<std::vector<std::string>> words(const RunCommand& command,
                                         const std::map<std::string, std::string>& values);

 private:
  CommandLine commands_;
  Invocation ignored_;
};

}  // namespace spillway
