#pragma once

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>

namespace spillway::testing {

// What file systems are without, and say so by these errors.
struct RefusedCalls {
  bool unnamed_files = false;            // open() with O_TMPFILE: EOPNOTSUPP
  bool renaming_to_a_free_name = false;  // renameat2() with RENAME_NOREPLACE: EINVAL
  bool links = false;                    // link(): EPERM
};

namespace refused_calls {

inline sock_filter refuse(int error) {
  return BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t(error) & SECCOMP_RET_DATA));
}

// Refuses the call `number` where a flag of its argument is set; the lower half of it is looked at.
template <class Program>
void add_flag(Program& program, long number, size_t argument, uint32_t flag, int error) {
  const auto at = uint32_t(offsetof(seccomp_data, args) + argument * sizeof(uint64_t));
  program.add(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  program.add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, uint32_t(number), 0, 3));
  program.add(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at));
  program.add(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, flag, 0, 1));
  program.add(refuse(error));
}

struct Program {
  std::array<sock_filter, 16> steps = {};
  unsigned short count = 0;
  void add(sock_filter step) { steps[count++] = step; }
};

}  // namespace refused_calls

namespace refused_calls {

inline bool obey(Program& program) {
  program.add(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog whole = {program.count, program.steps.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole) == 0;
}

}  // namespace refused_calls

// Has the kernel refuse the call `number` with `error` from now on, in this thread of this process, which is
// a child of the test's. False where the kernel has no seccomp.
inline bool refuse_call(long number, int error) {
  refused_calls::Program program;
  program.add(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  program.add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, uint32_t(number), 0, 1));
  program.add(refused_calls::refuse(error));
  return refused_calls::obey(program);
}

// Has this process, which is a child of the test's, see such a file system everywhere, as if the kernel said
// so. False where the kernel has no seccomp.
inline bool refuse_calls(const RefusedCalls& refused) {
  refused_calls::Program program;
  if (refused.unnamed_files) {
    add_flag(program, SYS_openat, 2, O_TMPFILE & ~O_DIRECTORY, EOPNOTSUPP);
  }
  if (refused.renaming_to_a_free_name) {
    add_flag(program, SYS_renameat2, 4, RENAME_NOREPLACE, EINVAL);
  }
  if (refused.links) {
    program.add(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
    program.add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_link, 1, 0));
    program.add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_linkat, 0, 1));
    program.add(refused_calls::refuse(EPERM));
  }
  return refused_calls::obey(program);
}

}  // namespace spillway::testing
