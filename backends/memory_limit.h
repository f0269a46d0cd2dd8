#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/result.h"
#include "core/sudden_end.h"

namespace spillway {

// Holds this process to a limit of memory, page cache included, for as long as it lives: a memory cgroup of
// its own. Destroying it moves the process back and removes the cgroup.
class MemoryLimit {
 public:
  // What it takes to undo it.
  struct Places {
    int version = 0;
    std::string home;    // the cgroup the process came from
    std::string cage;    // ours
    std::string lender;  // the cgroup that was made to lend the controller to ours; empty when it did already
  };

  explicit MemoryLimit(Places places);
  ~MemoryLimit();

  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

  const std::string& directory() const { return places_.cage; }

 private:
  const Places places_;
  const OnSuddenEnd on_sudden_end_;
};

// Limits the process to `bytes`. Call it before the memory that it shall cover is touched, since pages stay
// charged to the cgroup in which they were first used. `uncharged_bytes` is memory that the process has or
// will have but that no cgroup counts, hugetlb pages that is: the kernel's limit is made smaller by it.
// Unavailable() with the systemd-run line that would do the same where we may not.
Result<std::unique_ptr<MemoryLimit>> limit_process_memory(uint64_t bytes, uint64_t uncharged_bytes = 0);

// Memory that this process can still get without swapping: what the machine has to give, or what the limits
// of its cgroups leave when that is less. Page cache counts as free. Nothing when the kernel does not tell.
std::optional<uint64_t> memory_within_reach();

// The directory of the memory cgroup of a process, from the text of its /proc files.
struct MemoryCgroup {
  int version = 0;        // 1 or 2
  std::string directory;  // below `mount`
  std::string mount;
};
std::optional<MemoryCgroup> find_memory_cgroup(std::string_view proc_cgroup, std::string_view proc_mountinfo);

}  // namespace spillway
