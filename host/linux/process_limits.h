#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "host/sudden_end.h"

namespace spillway {

// What a process may have. 0: as much as there is.
struct ProcessLimits {
  uint64_t memory_bytes = 0;  // page cache included
  // Memory that the process has or will have but that no cgroup counts, hugetlb pages that is: the kernel's
  // limit is made smaller by it.
  uint64_t uncharged_bytes = 0;
  uint64_t read_bytes_per_s = 0;  // from each of the drives below `files`
  std::vector<std::string> files = {};
};

// Holds this process to its limits for as long as it lives, in cgroups of its own. Destroying it moves the
// process back and removes them.
class LimitedProcess {
 public:
  // A cgroup of ours, and what it takes to undo it.
  struct Cage {
    int version = 0;
    std::string home;                    // the cgroup the process came from
    std::string lender;                  // the one that ours is in
    std::string directory;               // ours
    std::vector<std::string> lent = {};  // controllers that `lender` was made to lend
  };

  LimitedProcess() = default;
  ~LimitedProcess();

  LimitedProcess(const LimitedProcess&) = delete;
  LimitedProcess& operator=(const LimitedProcess&) = delete;

  // Takes over the undoing of `cage`, in which the process is.
  void add(Cage cage);

  std::vector<std::string> directories() const;

 private:
  struct Held {
    Cage cage;
    OnSuddenEnd on_sudden_end;
  };
  std::vector<Held> held_;  // undone from the last to the first
};

// Call it before the memory that it shall cover is touched, since pages stay charged to the cgroup in which
// they were first used. Unavailable(), with the systemd-run line that would do the same, where we may not.
Result<std::unique_ptr<LimitedProcess>> limit_process(const ProcessLimits& limits);

}  // namespace spillway
