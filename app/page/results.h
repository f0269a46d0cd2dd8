#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/report/gap.h"
#include "app/report/traits.h"
#include "app/sweep/results.h"
#include "core/result.h"
#include "core/units.h"
#include "sim/profile.h"

// Result files that other commands wrote, as a page shows them.
namespace spillway::page {

// The machine and the command that measured a result.
struct Origin {
  std::string path;     // the file with the result
  std::string machine;  // empty if the file does not say
  std::string storage;  // the drive of the store, or its model
  std::string version;
  std::string date;
  std::string command;  // the command line
};

struct RunResult {
  Origin origin;
  std::string kind;  // replay, simulate, record, …
  std::string model;
  std::vector<std::pair<std::string, std::string>> config;
  PolicyTraits traits;
  bool simulated = false;
  bool interrupted = false;
  uint64_t tokens = 0;  // tokens of decode
  double tok_per_s = 0;
  double hit_ratio = 0;
  Nanoseconds p50{0}, p95{0}, p99{0}, slowest{0};
  double s_per_token = 0;
  double stall_s_per_token = 0;
  double compute_s_per_token = 0;
  double missed_bytes_per_token = 0;
  std::optional<double> drive_bytes_per_s;
  std::optional<double> seed_tok_per_s, policy_tok_per_s, physical_tok_per_s;  // ceilings
  std::optional<double> from_ram_share;
  std::optional<double> stolen_share;  // share of a core's time that the machine's host took
  std::optional<Gap> gap;
  std::vector<std::string> warnings;

  std::string config_value(const std::string& key) const;  // empty if there is no such key
};

struct CurvePoint {
  std::string policy;
  uint64_t cache_bytes = 0;
  double hit_ratio_decode = 0;
};

struct CurveResult {
  Origin origin;
  std::string trace;
  std::string model;
  uint64_t token_cycle_bytes = 0;
  bool interrupted = false;
  std::vector<CurvePoint> points;
  std::optional<CurvePoint> knee;  // the knee of LRU's curve
};

// One run of a sweep: its place on the axes, and its result.
struct SweepPoint {
  std::string path;
  std::vector<std::pair<std::string, std::string>> place;  // axis, value
  std::string command;
  PointResult result;
  std::optional<RunResult> run;  // the run's report, if it wrote one
};

// An axis, with its values in the order of the experiment file.
struct SweepAxis {
  std::string name;
  std::vector<std::string> values;
};

struct Sweep {
  std::string folder;
  std::string question;
  std::string about;
  // From the experiment file; empty if it does not say. The answer to the question is `ranking`, which point
  // is fastest, or `along`, how the speed changes along plot_x.
  std::string plot_kind, plot_x, plot_answer;
  std::vector<std::string> plot_y, plot_series;
  std::vector<SweepAxis> axes;
  std::vector<SweepPoint> points;
};

// The result of `spillway plan`.
struct PlanResult {
  std::string path;
  std::string model;
  std::string bits;
  std::string machine;
  std::string drive;
  uint64_t memory_bytes = 0;
  uint64_t needed_bytes = 0;
  bool fits = false;
  double tok_per_s = 0, low = 0, high = 0;
  std::vector<uint64_t> memories;  // rows of the table
  std::vector<double> bandwidths;  // columns, bytes per second
  std::vector<double> speeds;      // [memories][bandwidths] tok/s; 0: does not fit
  uint64_t memory_enough = 0;      // bytes beyond which more memory gains little
};

// The sums of a timeline over its tokens of decode.
struct TimelineResult {
  std::string path;
  std::string title;
  uint64_t tokens = 0;  // passes of decode
  double wall_s = 0;
  double stall_s = 0;
  double compute_s = 0;
  uint64_t reads = 0;  // reads in the whole file
  bool complete = false;
};

// All results that were found, each list in the order of the files' names.
struct Results {
  std::vector<Sweep> sweeps;
  std::vector<RunResult> runs;  // runs that belong to no sweep
  std::vector<CurveResult> curves;
  std::vector<std::pair<std::string, DeviceProfile>> devices;  // pairs of a file and its profile
  std::vector<PlanResult> plans;
  std::vector<TimelineResult> timelines;
  std::vector<std::string> left_out;  // files that could not be used, with the reasons

  bool empty() const;
};

// Reads every JSON file at or below `paths`. A file that is not a usable result is left out and listed. Fails
// only if a path does not exist or cannot be read, or if interrupted.
Result<Results> read_files(const std::vector<std::string>& paths);

// Sums up a file that --timeline wrote. Returns nothing for another kind of file.
std::optional<Result<TimelineResult>> read_timeline(const std::string& path);

}  // namespace spillway::page
