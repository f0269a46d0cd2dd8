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

// Of `controller` as version 1 names it (`memory`, `blkio`), or else in the hierarchy of version 2; from the
// text of the process's /proc files.
std::optional<OwnCgroup> find_cgroup(std::string_view controller, std::string_view proc_cgroup,
                                     std::string_view proc_mountinfo);

// This process's.
std::optional<OwnCgroup> own_cgroup(std::string_view controller);

// The cgroup that `directory` is in.
std::string parent_of(const std::string& directory);

// Memory that this process can still get without swapping: what the machine has to give, or what the limits
// of its cgroups leave when that is less. Page cache counts as free. Nothing when the kernel does not tell.
std::optional<uint64_t> memory_within_reach();

// Memory that this process could have with nothing else running: the machine's, or the tightest limit of its
// cgroups when that is less. Nothing when the kernel does not tell.
std::optional<uint64_t> memory_at_most();

}  // namespace spillway
