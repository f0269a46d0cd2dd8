#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/run/run.h"
#include "backends/list.h"
#include "host/linux/page_memory.h"
#include "host/linux/process_limits.h"
#include "runtime/arena.h"

namespace spillway {

// What every run on real storage is told about it.
struct RigOptions {
  BackendChoice backend = backends().known("uring");
  std::string pages;
  std::string verify = "sample";
  Bytes memory{0};
  BytesPerSecond throttle{0};
  bool warm = false;
  bool no_probe = false;
};

void add_rig_options(Command command, RigOptions& options);

// Everything between the ports and the kernel. Declared in the order in which it is made: what comes later
// uses what came before and must be gone first.
struct Rig {
  std::unique_ptr<LimitedProcess> limits;
  std::unique_ptr<ExpertStore> store;
  std::string ranges;  // per expert
  // Files or directories on the drives that --throttle is of; none: the store's.
  std::vector<std::string> on_drives;
  PageMemory memory;
  std::unique_ptr<Backend> backend;
  Verify verify = Verify::off;
  std::unique_ptr<SlotArena> arena;  // none where the backend needs no memory of ours
  uint64_t bytes_beside = 0;         // that the device delivered during the run, but not to it
};

// What a limited process needs beside everything that is asked for by size: the trace, code and stacks.
inline constexpr uint64_t kProgramBytes = 32 * kMiB;

// What a run needs memory for: the cache, and what is in memory beside it whatever the cache does.
struct MemoryNeeds {
  uint64_t cache_bytes = 0;
  uint64_t resident_bytes = 0;
  uint64_t resident_hugetlb_bytes = 0;  // of resident_bytes: what no limit counts
};

// All that stands on the store in `rig`: none of it touches much memory or reads anything.
Result<void> equip(const RigOptions& options, const ModelGeometry& geometry, const MemoryNeeds& needs,
                   Rig& rig);

// Makes the memory of an equipped rig real, and known to the backend.
Result<void> occupy(Rig& rig);

Storage storage_of(const Rig& rig, uint64_t cache_bytes, Clock& clock);

// What the report says of a rig before the run.
void describe_storage(const RigOptions& options, const Rig& rig, Report& report);

// Runs `run` from cold, unless it is to start warm, with a probe of the drive before and after it, and
// reports what the device delivered meanwhile.
Result<void> run_measured(const RigOptions& options, Rig& rig, Report& report,
                          FunctionRef<Result<void>()> run);

}  // namespace spillway
