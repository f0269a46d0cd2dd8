#include <gtest/gtest.h>
#include <sys/wait.h>

#include "backends/list.h"
#include "core/units.h"
#include "host/linux/page_memory.h"
#include "host/posix_file.h"
#include "tests/support/make_plugin.h"
#include "tests/support/refused_calls.h"
#include "tests/support/store_fixture.h"

// The kernel may refuse io_uring when the ring is in use already. Each test has a process of its own, since
// what is refused cannot be allowed again.
namespace spillway {
namespace {

using testing::TemporaryDirectory;

struct Refused {
  int call;
  int error;
};

constexpr int kWorked = 0;
constexpr int kNoUring = 100;
constexpr int kNoSeccomp = 101;
constexpr uint64_t kReads = 8;

// Returns how many of the reads `requests` fail with `error`; -1 if one ends in another way.
int failures(Backend& backend, std::span<const IoRequest> requests, int error) {
  int failed = 0;
  std::vector<IoDone> done(requests.size());
  size_t left = backend.submit(requests);
  if (left != requests.size()) {
    return -1;
  }
  while (left > 0) {
    const size_t count = backend.reap(done, 1);
    for (const IoDone& one : std::span(done).first(count)) {
      failed += one.error == error ? 1 : 0;
    }
    left -= count;
  }
  return failed;
}

// Reads, has the kernel refuse `refused`, and reads again; returns kWorked or the line that was wrong.
int read_until_refused(const std::string& path, const std::string& spec, const Refused& refused) {
  const std::vector<std::string> files = {path};
  const auto made = make_plugin(backends(), spec, BackendEnv{files});
  Result<PageMemory> memory = PageMemory::allocate(kReads * kMiB, std::nullopt);
  if (!made) {
    return kNoUring;
  }
  Backend& backend = **made;
  if (!memory || !backend.attach(memory->bytes())) {
    return __LINE__;
  }
  std::vector<IoRequest> requests;
  for (uint64_t i = 0; i < kReads; ++i) {
    requests.push_back({i, {0, i * kMiB, kMiB}, &memory->bytes()[i * kMiB]});
  }
  if (failures(backend, requests, 0) != int(kReads) || !backend.caps().fault.empty()) {
    return __LINE__;
  }
  // Some of the reads are with the kernel when it changes its mind.
  const size_t in_flight = backend.submit(std::span(requests).first(3));
  if (!testing::refuse_call(refused.call, refused.error)) {
    return kNoSeccomp;
  }
  std::vector<IoDone> done(kReads);
  for (size_t left = in_flight; left > 0;) {
    left -= backend.reap(done, left);
  }
  for (int again = 0; again < 2; ++again) {
    if (failures(backend, requests, refused.error) != int(kReads)) {
      return __LINE__;
    }
  }
  const std::string& fault = backend.caps().fault;
  if (!testing::mentions(fault, "io_uring") || !testing::mentions(fault, error_text(refused.error)) ||
      !testing::mentions(fault, "--backend pread")) {
    return __LINE__;
  }
  return kWorked;
}

class UringRefused : public ::testing::TestWithParam<int> {};

TEST_P(UringRefused, ends_each_read_with_the_error_and_says_what_to_do) {
  const TemporaryDirectory directory;
  const std::string path = directory / "data";
  testing::write_file(path, testing::filled(kReads * kMiB));
  std::vector<pid_t> children;
  for (const char* spec : {"uring", "uring:direct=0,fixed=0,chunk=64KiB,depth=8"}) {
    children.push_back(::fork());
    if (children.back() == 0) {
      ::_exit(read_until_refused(path, spec, {SYS_io_uring_enter, GetParam()}) & 0xff);
    }
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == kNoUring) {
      GTEST_SKIP() << "this machine refuses io_uring";
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == kNoSeccomp) {
      GTEST_SKIP() << "this machine refuses seccomp";
    }
    EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), kWorked) << "line";
  }
}

INSTANTIATE_TEST_SUITE_P(errors, UringRefused,
                         ::testing::Values(EPERM, ENOSYS, EIO, ENXIO, EAGAIN, ENOMEM, EBUSY, EBADF));

}  // namespace
}  // namespace spillway
