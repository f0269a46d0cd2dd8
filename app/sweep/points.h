#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "app/cli/command.h"
#include "app/sweep/experiment.h"

namespace spillway {

// Axis → its value, as JSON text.
using PointOf = std::vector<std::pair<std::string, std::string>>;

// One run of an experiment. {made}, {stores} and {here} are still in its words: what they stand for differs
// from machine to machine, and the run is the same.
struct PlannedRun {
  PointOf point;
  RunCommand command;
  uint32_t repetition = 1;
  std::string key;  // names its result; the same for the same run of the same experiment, and no other
};

// All runs, in the order in which one machine takes them.
Result<std::vector<PlannedRun>> plan_runs(const Experiment& experiment);

// The commands of `make`, words of `let` filled in, and what names the directory they write to.
struct MakePlan {
  std::vector<RunCommand> commands;
  std::string key;
};
Result<MakePlan> plan_make(const Experiment& experiment);

struct Shard {
  uint32_t index = 1;  // from 1
  uint32_t count = 1;
};

// `2/8`.
Result<Shard> parse_shard(const std::string& text);

// The shard's part of `runs`, in their order. The parts are of equal size but for one run, they are the same
// on every machine, and no axis lies along their borders, so that a slow machine is nobody's alone.
std::vector<PlannedRun> part_of(std::vector<PlannedRun> runs, Shard shard);

// Replaces each {name} by what `values` has for it. `kept` are names to leave alone; any other is an error.
Result<std::string> fill_in(const std::string& text, const std::map<std::string, std::string>& values,
                            const std::vector<std::string>& kept = {});

// Writes command lines of this program.
class CommandWriter {
 public:
  CommandWriter();

  // The words behind the program's name, as the program that runs now would take them: an option that it does
  // not have, or that cannot mean what it is given, is an error.
  Result<std::vector<std::string>> words(const RunCommand& command,
                                         const std::map<std::string, std::string>& values);

 private:
  CommandLine commands_;
  Invocation ignored_;
};

}  // namespace spillway
