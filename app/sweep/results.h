#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/sweep/child.h"
#include "app/report/figures.h"
#include "app/sweep/points.h"
#include "core/json_fwd.h"

// A sweep's folder: experiment.json, the experiment as it was understood, and points/KEY.json, a
// spillway.point/1 of each run that has been.
namespace spillway {

// One run that has been, or what was recorded of its failure.
struct PointResult {
  PointOf point;
  uint32_t repetition = 1;
  bool done = false;
  bool unavailable = false;  // not done for want of something that this machine or this user has not
  std::string error;         // where it is not done
  double wall_s = 0;
  std::string host;
  std::string commit;  // of the program that ran it, where its result says
  std::vector<Figure> figures;
};

class ResultFolder {
 public:
  // Makes the folder where there is none. Refuses one that holds results of other runs than `runs`, which
  // would be taken for this experiment's.
  static Result<ResultFolder> open(const std::string& directory, const Experiment& experiment,
                                   const std::vector<PlannedRun>& runs);

  // Nothing where there is no whole result of this name.
  std::optional<PointResult> find(const std::string& key) const;

  // `words`: the command line. Replaces what there was. An error also where the child's report is no JSON.
  Result<PointResult> keep(const PlannedRun& run, const std::vector<std::string>& words,
                           const ChildRun& child, Shard shard) const;

  const std::string& directory() const { return directory_; }

 private:
  explicit ResultFolder(std::string directory) : directory_(std::move(directory)) {}
  std::string path_of(const std::string& key) const;

  std::string directory_;
};

// A document of spillway.point/1.
Result<PointResult> point_result_of(const Json& point);

std::optional<Figure> find_figure(const PointResult& result, const std::string& name);

bool is_result_folder(const std::string& directory);

// Every result in a folder, by name.
Result<std::vector<PointResult>> read_results(const std::string& directory);

// `3 of 8 runs failed, 2 were not available here`; nothing where all of them were done.
std::string describe_missing(const std::vector<PointResult>& results);

// `a=1 b="x"`, for people.
std::string describe(const PointOf& point);

// An axis' value without its quotes.
std::string plain_label(const std::string& json);

}  // namespace spillway
