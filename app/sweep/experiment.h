#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"

// An experiment file (spillway.experiment/1): one question, and the runs of this program that answer it.
//
//   { "schema": "spillway.experiment/1",
//     "question": "Which backend gets most out of the drive?",
//     "about": "what to look at, and why these points were chosen",
//     "let":   { "trace": "{made}/trace.bin", "depth": 32 },
//     "make":  [ { "command": "trace synth", "layers": 24, "output": "{trace}", "force": true } ],
//     "base":  { "command": "replay", "trace": "{trace}", "cache": "1GB", "backend": "uring:depth={depth}" },
//     "sweep": { "depth": [1, 8, 32], "cache": ["0", "1GB", { "label": "all", "cache": "8GB" }] },
//     "repetitions": 5, "order": "interleaved", "timeout_s": 600,
//     "plot":  { "kind": "lines", "x": "depth", "y": ["tok_per_s"], "series": "cache" },
//     "quick": { "sweep": { "depth": [1, 32] }, "repetitions": 1 } }
//
// A run is a command with its options, named as on the command line but without dashes. The value true turns
// a switch on, null and false remove an option, and a list gives the option several times. `sweep` makes a
// run for every combination of the axes' values; the last axis varies fastest. An axis sets the option of its
// own name. A value that is an object has a label and sets the options that it names. The names in `let` are
// not options but words: in braces they stand for their values. Four more words are built in: {made}, the
// directory for the outputs of `make`; {stores}, a directory for scratch stores; {here}, the directory of the
// experiment file; and {repetition}, counted from 1. `quick` overrides `let` and `base` key by key, `sweep`
// axis by axis, and everything else as a whole.
namespace spillway {

// The values of each option; a switch has none.
using OptionWords = std::map<std::string, std::vector<std::string>>;

struct RunCommand {
  std::string name;  // `replay`, `trace synth`
  OptionWords options;
};

struct AxisValue {
  std::string json;  // the value or the label as JSON
  OptionWords sets;  // options and words of `let` that the value sets
  std::vector<std::string> removes;
};

struct Axis {
  std::string name;
  std::vector<AxisValue> values;
};

enum class RunOrder {
  interleaved,  // all points once, then all points again, so that a drift of the drive affects all points
  sequential,   // all repetitions of one point, then those of the next
  shuffled      // all points once for each repetition, in another random order each time
};

struct Experiment {
  std::string path;
  std::string document;  // the JSON with all overrides applied
  std::string question;
  std::map<std::string, std::string> let;
  std::vector<RunCommand> make;
  OptionWords base;  // includes `command`
  std::vector<Axis> axes;
  uint32_t repetitions = 1;
  RunOrder order = RunOrder::interleaved;
  double timeout_s = 0;              // time limit of one run; 0: no limit
  std::vector<std::string> figures;  // the figures that plot.y names
};

struct ExperimentOverrides {
  bool quick = false;
  // Each is NAME=VALUE, where NAME is a word of `let`, an option of `base`, or an axis. An axis then has only
  // the given values, or, if its values have labels, only the values with the given labels.
  std::vector<std::string> set;
};

Result<Experiment> read_experiment(const std::string& path, const ExperimentOverrides& overrides);

}  // namespace spillway
