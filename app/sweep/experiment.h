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
//     "about": "what to look at, and what stands behind the choice of points",
//     "let":   { "trace": "{made}/trace.bin", "depth": 32 },
//     "make":  [ { "command": "trace synth", "layers": 24, "output": "{trace}", "force": true } ],
//     "base":  { "command": "replay", "trace": "{trace}", "cache": "1GB", "backend": "uring:depth={depth}" },
//     "sweep": { "depth": [1, 8, 32], "cache": ["0", "1GB", { "label": "all", "cache": "8GB" }] },
//     "repetitions": 5, "order": "interleaved", "timeout_s": 600,
//     "plot":  { "kind": "lines", "x": "depth", "y": ["tok_per_s"], "series": "cache" },
//     "quick": { "sweep": { "depth": [1, 32] }, "repetitions": 1 } }
//
// A run is a command with its options, named as on the command line but without dashes; true is a switch that
// is on, null and false take an option away, a list gives it several times. `sweep` is multiplied out, its
// last axis fastest. An axis sets what it is named after; a value that is an object has a label and sets what
// else it names. Whatever `let` names is no option but a word that stands for its value, in braces. Of these
// there are also {made}, where `make` puts what it makes; {stores}, a directory for scratch stores; {here},
// the experiment file's directory; and {repetition}, from 1. `quick` overrides: `let` and `base` key by key,
// `sweep` axis by axis, the rest as a whole.
namespace spillway {

// The words behind each option; none behind a switch.
using OptionWords = std::map<std::string, std::vector<std::string>>;

struct RunCommand {
  std::string name;  // `replay`, `trace synth`
  OptionWords options;
};

struct AxisValue {
  std::string json;  // as in the file, or the label; in JSON
  OptionWords sets;  // options and words of `let`
  std::vector<std::string> removes;
};

struct Axis {
  std::string name;
  std::vector<AxisValue> values;
};

enum class RunOrder {
  interleaved,  // all points once, then all once more: a drive that drifts meanwhile is no point's alone
  sequential,   // one point as often as it is repeated, then the next
  shuffled      // all points once, in an order of their own each time
};

struct Experiment {
  std::string path;
  std::string document;  // the JSON as it was understood, with what was overridden
  std::string question;
  std::map<std::string, std::string> let;
  std::vector<RunCommand> make;
  OptionWords base;  // `command` among them
  std::vector<Axis> axes;
  uint32_t repetitions = 1;
  RunOrder order = RunOrder::interleaved;
  double timeout_s = 0;              // of one run; 0: it may take as long as it likes
  std::vector<std::string> figures;  // what plot.y names
};

struct ExperimentOverrides {
  bool quick = false;
  // NAME=VALUE for a word of `let`, an option of `base`, or an axis, which then has these values alone (of an
  // axis with labels: those with these labels).
  std::vector<std::string> set;
};

Result<Experiment> read_experiment(const std::string& path, const ExperimentOverrides& overrides);

}  // namespace spillway
