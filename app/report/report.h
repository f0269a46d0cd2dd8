#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/report/gap.h"
#include "app/report/traits.h"
#include "core/geometry.h"
#include "core/json_fwd.h"
#include "runtime/loader.h"
#include "runtime/metrics.h"

namespace spillway {

// The machine behind a run, as far as the kernel reports it.
struct HostFacts {
  std::string kernel;
  std::string cpu;
  uint32_t cores = 0;
  uint64_t memory_bytes = 0;
};

struct StoreFacts {
  std::vector<std::string> files;
  std::string file_system;
  std::string device;                        // the file system, and the drive below it if there is one
  std::optional<uint64_t> read_ahead_bytes;  // bytes that the kernel reads beyond a buffered or mapped read
};

// The bandwidth that ceilings are computed with, and how it was measured.
struct DriveSpeed {
  double bytes_per_s = 0;
  std::string how;
};

// Tokens per second of decode that one limit alone would allow.
struct Ceilings {
  DriveSpeed drive;
  std::optional<double> seed_tok_per_s;      // every expert of every token is read
  std::optional<double> policy_tok_per_s;    // this run's own misses, perfectly overlapped with compute
  std::optional<double> physical_tok_per_s;  // the fewest misses of any policy, overlapped likewise
};

struct IoFacts {
  LoaderCounts counts;
  std::string verify;                    // off, sample or all
  std::optional<double> lost_page_seen;  // chance that one read of an expert shows a lost page of 4 KiB
  // Bytes that this process took from storage, according to the kernel or the simulated page cache.
  std::optional<uint64_t> device_bytes;
  uint64_t arena_bytes = 0;            // memory that holds experts, staging included
  uint64_t arena_moved_bytes = 0;      // bytes copied to join holes
  std::string arena_pages;             // kind of pages of that memory
  double cpu_s = 0;                    // user and system time of the whole process
  std::optional<double> stolen_cpu_s;  // steal time of all cores during the run; see host.h
  std::optional<Nanoseconds> stopped;  // time during the run in which the process was stopped or frozen
  Nanoseconds wall{0};                 // prefill, warm-up and decode
};

// Further facts about a model that really computes.
struct LiveFacts {
  uint64_t resident_bytes = 0;         // weights that stay in memory
  uint64_t context_bytes = 0;          // keys, values and recurrent state of a whole context
  std::optional<uint64_t> peak_bytes;  // the most memory that the process had at once
  uint64_t generated_tokens = 0;
  std::vector<std::pair<uint32_t, double>> lookahead_recall;  // layers ahead, share of experts foreseen
};

// What tells the inputs of a run from others of the same name: hashes in hexadecimal digits; empty where
// there is no such input.
struct RunIdentity {
  std::string trace;
  std::string store;
  std::string model;
};

// One run, real or simulated. Both the printed table and the JSON (spillway.report/1) are made from this.
struct Report {
  std::string command;  // replay, simulate or record
  std::string command_line;
  std::string date;  // UTC, ISO 8601
  HostFacts host;
  StoreFacts store;
  std::vector<std::pair<std::string, std::string>> config;  // every option, resolved
  PolicyTraits traits;
  uint64_t seed = 0;
  bool virtual_time = false;
  bool interrupted = false;

  std::string trace_path;
  RunIdentity identity;
  std::string model;
  ModelGeometry geometry;

  Metrics metrics;
  // gap --live: time per token of the live run that is explained. `metrics` are those of
  // the replay beside it.
  std::optional<double> live_s_per_token;
  IoFacts io;
  std::optional<LiveFacts> live;
  Ceilings ceilings;
  std::optional<Gap> gap;  // if the run was explained
  std::string backend_note;
  std::string digest;
  std::vector<std::string> warnings;
  std::string failed_output;  // output that could not be written beside the report, and why; empty: none
};

double achieved_tok_per_s(const Report& report);

// Largest difference between the bytes asked for and those that the device delivered, as a share of the
// former, that needs no headline.
inline constexpr double kColdTolerance = 0.02;

// Returns the steal time during the run ÷ its wall time. 0.1 is a tenth of one core's time, and can
// delay a run that one thread paces by as much. Returns nothing in virtual time or if the kernel does
// not report steal time.
std::optional<double> stolen_share(const Report& report);

// True if more time was stolen than is tolerated.
bool is_disturbed(const std::optional<double>& stolen_share);
inline bool is_disturbed(const Report& report) {
  return is_disturbed(stolen_share(report));
}

// Returns the share of the bytes read that did not come from the device (0.2: a fifth came from RAM;
// −3: the device delivered four times as much as was asked for). Nothing if the kernel does not report
// it or nothing was read.
std::optional<double> share_from_ram(const Report& report);

// Explains why a run can exceed its ceilings: they count the drive alone, and part of the bytes did not come
// from there. Empty if all of them did, or there are no ceilings.
std::string beyond_ceilings(const Report& report);

// Returns the commit of the sources that this program was built from.
std::string program_commit();

Json to_json(const Report& report);
std::string to_table(const Report& report);

// Fails if JSON cannot be written to `path` (empty: nowhere, `-`: stdout); called before the work whose
// result it is. `source` is a file that must not be replaced.
Result<void> check_json_path(const std::string& path, const std::string& source = {});

// Checks the file of another option in the same way. Errors call the option `flag`.
Result<void> check_output_path(const std::string& flag, const std::string& path, const std::string& source);

// Refuses `-` for a binary output: elsewhere `-` means stdout, here it would name a file.
Result<void> check_binary_output(const std::string& flag, const std::string& path);

// Writes `json` to `path`, or to stdout if that is `-`. An existing file is replaced as a
// whole or not at all.
Result<void> write_json(const Json& json, const std::string& path);
Result<void> write_json(const Report& report, const std::string& path);

}  // namespace spillway
