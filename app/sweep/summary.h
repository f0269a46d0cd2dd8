#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "app/sweep/results.h"

namespace spillway {

// A line on stderr for each run that has been, with what came out and how long the rest will take.
class SweepProgress {
 public:
  // `runs`: how many there are, those that are there already among them.
  SweepProgress(const Experiment& experiment, size_t runs);

  void passed(const PlannedRun& run, const PointResult& result);  // it was there
  void ran(const PlannedRun& run, const PointResult& result);

 private:
  void count(const PlannedRun& run, const PointResult& result);

  const Experiment& experiment_;
  size_t runs_;
  size_t behind_ = 0;
  double seconds_ = 0;  // of the runs behind us, on whichever day
};

// The experiment's question and a row for each point, on stdout: the medians of its figures over the
// repetitions, with the least and the most where there are several, and what failed.
void print_summary(const Experiment& experiment, const std::vector<PointResult>& results);

}  // namespace spillway
