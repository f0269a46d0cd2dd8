#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace spillway {

// The directory of a process's cgroup in the hierarchy of one controller.
struct OwnCgroup {
  int version = 0;        // 1 or 2
  std::string directory;  // below `mount`
  std::string mount;
};

// Finds the cgroup for `controller`, named as in version 1 (`memory`, `blkio`), or else the one in the
// hierarchy of version 2. Reads the given texts of the process's /proc files.
std::optional<OwnCgroup> find_cgroup(std::string_view controller, std::string_view proc_cgroup,
                                     std::string_view proc_mountinfo);

// Returns this process's cgroup.
std::optional<OwnCgroup> own_cgroup(std::string_view controller);

// Returns the cgroup that `directory` is in.
std::string parent_of(const std::string& directory);

// Returns the bytes of memory that this process can still get without swapping: what is available on the
// machine, or less where the limits of its cgroups leave less. Page cache counts as free. Nothing if the
// kernel does not report it.
std::optional<uint64_t> memory_within_reach();

// Returns the bytes of memory that this process could have with nothing else running: those of the machine,
// or less where a limit of its cgroups is tighter. Nothing if the kernel does not report it.
std::optional<uint64_t> memory_at_most();

}  // namespace spillway
