#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "app/sweep/results.h"

namespace spillway {

// Prints a line on stderr after each run, with the outcome and the time that the remaining runs will take.
class SweepProgress {
 public:
  // `runs` is the number of all runs, including those with results from before.
  SweepProgress(const Experiment& experiment, size_t runs);

  void passed(const PlannedRun& run, const PointResult& result);  // its result is from before
  void ran(const PlannedRun& run, const PointResult& result);

 private:
  void count(const PlannedRun& run, const PointResult& result);

  const Experiment& experiment_;
  size_t runs_;
  size_t behind_ = 0;
  double seconds_ = 0;  // time of all runs that are done, including those from before
};

// Prints the experiment's question and a row for each point on stdout. A row has the median of each figure
// over the repetitions, with the minimum and the maximum if they differ, and the reason if a run failed.
void print_summary(const Experiment& experiment, const std::vector<PointResult>& results);

}  // namespace spillway
