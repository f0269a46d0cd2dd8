#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "app/cli/progress.h"
#include "app/sweep/results.h"

namespace spillway {

// Shows on stderr how far a sweep is. On a terminal a bar does, since the table follows; elsewhere each run
// gets a line with its outcome and the time that the remaining runs will take. A run that was not done gets
// a line everywhere.
class SweepProgress {
 public:
  // `runs` is the number of all runs, including those with results from before.
  SweepProgress(const Experiment& experiment, size_t runs);

  // Prints a line of its own.
  void say(const std::string& line) const;

  void passed(const PlannedRun& run, const PointResult& result);  // its result is from before
  void ran(const PlannedRun& run, const PointResult& result);

 private:
  void count(const PlannedRun& run, const PointResult& result);

  const Experiment& experiment_;
  size_t runs_;
  const bool terminal_;
  Progress bar_;
  size_t behind_ = 0;
  double seconds_ = 0;  // time of all runs that are done, including those from before
};

// Prints the experiment's question and a row for each point on stdout. A row has the median of each figure
// over the repetitions, with the minimum and the maximum if they differ, and the reason if a run failed.
void print_summary(const Experiment& experiment, const std::vector<PointResult>& results);

}  // namespace spillway
