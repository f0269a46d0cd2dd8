#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/run/run.h"
#include "backends/list.h"
#include "host/linux/page_memory.h"
#include "host/linux/process_limits.h"
#include "runtime/arena.h"
#include "stores/store_use.h"

namespace spillway {

// Options of every run on real storage.
struct RigOptions {
  BackendChoice backend = backends().known("uring");
  std::string pages;
  std::string verify = "sample";
  Bytes memory{0};
  BytesPerSecond throttle{0};
  bool warm = false;
  bool no_probe = false;
};

// With `listed`, the command takes several backends.
void add_rig_options(Command command, RigOptions& options, ListedOptions* listed = nullptr);

// Everything between the ports and the kernel. The members are declared in the order in which they are made:
// later ones use earlier ones and must be destroyed first.
struct Rig {
  std::unique_ptr<LimitedProcess> limits;
  std::unique_ptr<ExpertStore> store;
  StoreUse store_use;
  std::string ranges;  // per expert
  // Files or directories on the drives that --throttle limits; empty: the store's files.
  std::vector<std::string> on_drives;
  PageMemory memory;
  std::unique_ptr<Backend> backend;
  Verify verify = Verify::off;
  std::unique_ptr<SlotArena> arena;  // none if the backend needs no memory from the rig
  uint64_t bytes_beside = 0;         // bytes that the device delivered during the run, but not for it
};

// Memory that a limited process needs for everything without an option of its own: the
// trace, code and stacks.
inline constexpr uint64_t kProgramBytes = 32 * kMiB;

// Memory that a run needs: for the cache, and for weights that stay resident whatever the cache does.
struct MemoryNeeds {
  uint64_t cache_bytes = 0;
  uint64_t resident_bytes = 0;
  uint64_t resident_hugetlb_bytes = 0;  // part of resident_bytes that no limit counts
};

// Builds everything on the store in `rig`, without touching much memory or reading anything.
Result<void> equip(const RigOptions& options, const ModelGeometry& geometry, const MemoryNeeds& needs,
                   Rig& rig);

// Touches the memory of an equipped rig and attaches it to the backend.
Result<void> occupy(Rig& rig);

Storage storage_of(const Rig& rig, uint64_t cache_bytes, Clock& clock);

// Adds to `report` what is known about the rig before the run.
void describe_storage(const RigOptions& options, const Rig& rig, Report& report);

// Runs `run` and reports what the device delivered meanwhile. The run starts from cold unless the options say
// warm, and the drive is probed before and after it.
Result<void> run_measured(const RigOptions& options, Rig& rig, Report& report,
                          FunctionRef<Result<void>()> run);

}  // namespace spillway
