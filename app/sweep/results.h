#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/cli/json_keys.h"
#include "app/report/figures.h"
#include "app/sweep/child.h"
#include "app/sweep/points.h"
#include "core/json_fwd.h"

// A sweep's folder: experiment.json, the experiment with all overrides applied, and points/KEY.json, a
// spillway.point/1 for each run that was made.
namespace spillway {

// The result of one run, or the record of its failure.
struct PointResult {
  PointOf point;
  uint32_t repetition = 1;
  bool done = false;
  bool unavailable = false;  // not done, since the machine or the user lacks something
  std::string error;         // the reason why the run is not done
  double wall_s = 0;
  std::string host;
  std::string commit;  // the commit of the program that ran it, if the result says
  std::string trace;   // the identity of the trace that was run, if the result says
  std::vector<Figure> figures;
};

class ResultFolder {
 public:
  // Opens the folder, and makes it if it does not exist. Refuses a folder with results of other runs than
  // `runs`, since they would be taken for results of this experiment.
  static Result<ResultFolder> open(const std::string& directory, const Experiment& experiment,
                                   const std::vector<PlannedRun>& runs);

  // Returns the result named `key`, or nothing if there is no complete one.
  std::optional<PointResult> find(const std::string& key) const;

  // Writes the result of a run, and replaces an earlier one. `words` is the command line. A child whose
  // report is not JSON is recorded as failed.
  Result<PointResult> keep(const PlannedRun& run, const std::vector<std::string>& words,
                           const ChildRun& child, Shard shard) const;

  const std::string& directory() const { return directory_; }

 private:
  explicit ResultFolder(std::string directory) : directory_(std::move(directory)) {}
  std::string path_of(const std::string& key) const;

  std::string directory_;
};

// Reads from a report what tells where it comes from: the commit and the trace.
void read_origin(JsonKeys& report, PointResult& result);

// Reads one run of a document of spillway.runs/1, or what all runs of sweeps have in common with it.
Result<PointResult> run_result_of(const Json& run);

// Reads the runs of a document of spillway.runs/1. Fails if it has none.
Result<std::vector<PointResult>> read_runs(const Json& document);

// Returns true if the document is spillway.runs/1.
bool holds_runs(const Json& document);

// Reads a document of spillway.point/1.
Result<PointResult> point_result_of(const Json& point);

std::optional<Figure> find_figure(const PointResult& result, const std::string& name);

bool is_result_folder(const std::string& directory);

// Returns every result in a folder, sorted by name.
Result<std::vector<PointResult>> read_results(const std::string& directory);

// Returns a text such as `3 of 8 runs failed, 2 were not available here`, or an empty one if all runs
// are done.
std::string describe_missing(const std::vector<PointResult>& results);

// Describes a point for people: `a=1, b=x`.
std::string describe(const PointOf& point);

// Returns the value of an axis without its quotes.
std::string plain_label(const std::string& json);

}  // namespace spillway
