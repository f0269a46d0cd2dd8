#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "host/linux/cgroup.h"
#include "host/sudden_end.h"

namespace spillway {

// The resources that a process may use. 0: no limit.
struct ProcessLimits {
  uint64_t memory_bytes = 0;  // page cache included
  // Memory of the process, present or future, that no cgroup counts: hugetlb pages. The kernel's limit is
  // reduced by it.
  uint64_t uncharged_bytes = 0;
  uint64_t read_bytes_per_s = 0;  // from each of the drives below `files`
  std::vector<std::string> files = {};
};

// Holds this process to its limits for as long as the object exists, in cgroups of its own. The destructor
// moves the process back and removes the cgroups.
class LimitedProcess {
 public:
  // A cgroup that this process made, and the facts needed to undo it.
  struct Cage {
    int version = 0;
    std::string home;                    // the cgroup that the process came from
    std::string lender;                  // the parent of the new cgroup
    std::string directory;               // the new cgroup
    std::vector<std::string> lent = {};  // controllers that `lender` was made to delegate
  };

  LimitedProcess() = default;
  ~LimitedProcess();

  LimitedProcess(const LimitedProcess&) = delete;
  LimitedProcess& operator=(const LimitedProcess&) = delete;

  // Takes responsibility for undoing `cage`, which the process is in.
  void add(Cage cage);

  std::vector<std::string> directories() const;

 private:
  struct Held {
    Cage cage;
    OnSuddenEnd on_sudden_end;
  };
  std::vector<Held> held_;  // undone in reverse order
};

// Limits this process. Call it before the memory to be limited is touched, since pages stay charged to the
// cgroup in which they were first used. If this user may not limit it, the error is unavailable() and shows
// the systemd-run line that gives the process a cgroup which it may divide.
Result<std::unique_ptr<LimitedProcess>> limit_process(const ProcessLimits& limits);

// Makes room for the limits of this process's children, if it is alone in the cgroup `own` of version 2 and
// may divide it, as in `systemd-run --scope -p Delegate=yes`: moves the process into a cgroup below `own`,
// since a cgroup with processes of its own cannot have limited children. The destructor moves the process
// back. Returns an object without a cgroup where this is not possible or of no use.
std::unique_ptr<LimitedProcess> step_aside(const OwnCgroup& own);

}  // namespace spillway
