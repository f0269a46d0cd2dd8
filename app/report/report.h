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

// The machine and the storage behind a run, as far as the kernel tells.
struct HostFacts {
  std::string kernel;
  std::string cpu;
  uint32_t cores = 0;
  uint64_t memory_bytes = 0;
};

struct StoreFacts {
  std::vector<std::string> files;
  std::string file_system;
  std::string device;                        // the file system, and the drive below it when there is one
  std::optional<uint64_t> read_ahead_bytes;  // what the kernel reads beyond a buffered or mapped read
};

// The bandwidth that ceilings are computed with, and how it was come by.
struct DriveSpeed {
  double bytes_per_s = 0;
  std::string how;
};

// Tokens per second that something would allow, were it alone. All of decode.
struct Ceilings {
  DriveSpeed drive;
  std::optional<double> seed_tok_per_s;      // every expert of every token is read
  std::optional<double> policy_tok_per_s;    // this run's own misses, perfectly overlapped with compute
  std::optional<double> physical_tok_per_s;  // the fewest misses any policy could have, the same
};

struct IoFacts {
  LoaderCounts counts;
  std::string verify;  // off, sample or all
  // What the kernel says this process took from storage meanwhile; of a simulated page cache, what it did.
  std::optional<uint64_t> device_bytes;
  uint64_t arena_bytes = 0;            // memory that holds experts, staging included
  uint64_t arena_moved_bytes = 0;      // copied to join holes
  std::string arena_pages;             // what that memory is made of
  double cpu_s = 0;                    // user and system time of the whole process
  std::optional<double> stolen_cpu_s;  // steal time of all cores during the run; see host.h
  Nanoseconds wall{0};                 // prefill, warm-up and decode
};

// What a model that really computes says beside.
struct LiveFacts {
  uint64_t resident_bytes = 0;         // weights that stay in memory
  uint64_t context_bytes = 0;          // keys, values and recurrent state of a whole context
  std::optional<uint64_t> peak_bytes;  // the most memory that the process had
  uint64_t generated_tokens = 0;
  std::vector<std::pair<uint32_t, double>> lookahead_recall;  // layers ahead, share of experts foreseen
};

// One run, real or simulated: printed as a table and written as JSON (spillway.report/1) from here.
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
  std::string model;
  ModelGeometry geometry;

  Metrics metrics;
  // gap --live: what the run took that is explained; metrics are of the replay beside it.
  std::optional<double> live_s_per_token;
  IoFacts io;
  std::optional<LiveFacts> live;
  Ceilings ceilings;
  std::optional<Gap> gap;  // where it was explained
  std::string backend_note;
  std::string digest;
  std::vector<std::string> warnings;
  std::string failed_output;  // what could not be written beside the report, and why; empty: nothing
};

double achieved_tok_per_s(const Report& report);

// A difference between what was asked for and what the device delivered that is not worth a headline.
inline constexpr double kColdTolerance = 0.02;

// Steal time during the run ÷ its wall time: 0.1 is a tenth of one core's, and a run that one thread paces
// can be late by as much. Nothing in virtual time, and where the kernel does not tell.
std::optional<double> stolen_share(const Report& report);

// More was stolen than can be overlooked.
bool is_disturbed(const std::optional<double>& stolen_share);
inline bool is_disturbed(const Report& report) {
  return is_disturbed(stolen_share(report));
}

// The share of the bytes read that did not come from the device (0.2: a fifth came from RAM; −3: the device
// delivered four times as much as was asked for). Nothing where the kernel cannot tell or nothing was read.
std::optional<double> share_from_ram(const Report& report);

// Why a run may reach more than its ceilings: they are of the drive, and not all that was read came from
// there. Empty where all of it did, or there are no ceilings.
std::string beyond_ceilings(const Report& report);

// Which sources this program was built from.
std::string program_commit();

Json to_json(const Report& report);
std::string to_table(const Report& report);

// Whether JSON can be written to `path` (empty: nowhere, `-`: stdout) once there is some, asked before the
// work whose result it is. `source` is a file that it must not replace.
Result<void> check_json_path(const std::string& path, const std::string& source = {});

// The same for another option's file, which `flag` names in errors.
Result<void> check_output_path(const std::string& flag, const std::string& path, const std::string& source);

// Refuses `-` for what is binary: it is stdout elsewhere, and would be a file of that name here.
Result<void> check_binary_output(const std::string& flag, const std::string& path);

// Writes `json` to `path`, or to stdout when it is `-`. What was there before is replaced by the whole or not
// at all.
Result<void> write_json(const Json& json, const std::string& path);
Result<void> write_json(const Report& report, const std::string& path);

}  // namespace spillway
