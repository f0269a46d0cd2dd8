#pragma once

#include <optional>

#include "host/linux/cgroup.h"

// The processors that this process may use, where a machine is shared out: taskset, containers, batch
// systems.
namespace spillway {

// Returns the processors whose time `group` may use, 0.5 for half of one: the least that the group or one of
// its ancestors is limited to. Nothing without a limit. The group is that of the controller `cpu`.
std::optional<double> cpu_quota(const OwnCgroup& group);

// Returns how many threads can compute at the same time on `processors` processors under `quota`, at least 1.
// The quota is rounded down: a thread more would spend it early, and all threads then stand still until the
// kernel grants the next period.
unsigned threads_within(unsigned processors, std::optional<double> quota);

// Returns how many threads of this process can compute at the same time, at least 1: the processors that it
// is bound to, or fewer where the quota of its cgroups is less.
unsigned usable_threads();

}  // namespace spillway
