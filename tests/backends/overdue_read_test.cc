#include "host/overdue_read.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "backends/list.h"
#include "core/units.h"
#include "host/interrupt.h"
#include "host/linux/page_memory.h"
#include "tests/support/make_plugin.h"
#include "tests/support/silent_drive.h"
#include "tests/support/store_fixture.h"

// A drive that answers some reads and then none. Each test has a process of its own, since a request to end
// cannot be taken back.
namespace spillway {
namespace {

using test::SilentDrive;
using testing::TemporaryDirectory;

constexpr uint64_t kAnswered = 4 * kMiB;
constexpr int kWorked = 0;
constexpr int kUnavailable = 77;

std::string told;  // by the process of a test
std::atomic<bool> was_told = false;

int wait_for_a_dead_drive(const std::string& spec, const std::string& file) {
  tell_overdue_reads([](const OverdueRead& read) {
    told += describe(read) + "\n";
    was_told = true;
  });
  const std::vector<std::string> files = {file};
  auto made = make_plugin(backends(), spec, BackendEnv{files});
  if (!made) {
    return made.error().kind == ErrorKind::unavailable ? kUnavailable : __LINE__ % 70;
  }
  Backend& backend = **made;
  Result<PageMemory> memory = PageMemory::allocate(4 * kMiB, std::nullopt);
  if (!memory || !memory->touch() || !backend.attach(memory->bytes())) {
    return __LINE__ % 70;
  }
  std::vector<IoRequest> requests = {{7, {0, kMiB, kMiB}, memory->bytes().data()},
                                     {8, {0, kAnswered + kMiB, kMiB}, &memory->bytes()[kMiB]}};
  std::vector<IoDone> done(2);
  if (backend.submit(requests) != 2 || backend.reap(done, 1) != 1 || done[0].tag != 7 || done[0].error != 0) {
    return __LINE__ % 70;
  }
  // Ctrl-C comes once somebody has been told.
  std::thread user([] {
    while (!was_told) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    interrupt();
  });
  const size_t count = backend.reap(done, 1);
  user.join();
  const bool names_it = testing::mentions(told, file) && testing::mentions(told, "offset 5242880 ") &&
                        testing::mentions(told, "5.");
  if (count != 1 || done[0].tag != 8 || done[0].error != ECANCELED || !names_it) {
    return __LINE__ % 70;
  }
  if (!testing::mentions(backend.caps().fault, "offset 5242880 ")) {
    return __LINE__ % 70;
  }
  // Later requests end at once, and so does the backend.
  if (backend.submit(requests) != 2 || backend.reap(done, 2) != 2 || done[0].error != ECANCELED) {
    return __LINE__ % 70;
  }
  made->reset();
  return kWorked;
}

class OverdueReads : public ::testing::TestWithParam<const char*> {};

TEST_P(OverdueReads, are_named_while_they_last_and_given_up_at_an_interrupt) {
  const TemporaryDirectory folder;
  const std::string content = folder / "content";
  testing::write_file(content, std::string(16 * kMiB, 'x'));
  const std::string mounted = folder / "mounted";
  std::filesystem::create_directory(mounted);
  int results[2];
  ASSERT_EQ(::pipe(results), 0);
  pid_t child = -1;
  char result = kUnavailable;
  {
    const SilentDrive drive(mounted, content, kAnswered);
    if (!drive.mounted()) {
      GTEST_SKIP() << "this user cannot mount a file system of its own (FUSE) here";
    }
    child = ::fork();
    if (child == 0) {
      const char outcome = char(wait_for_a_dead_drive(GetParam(), drive.file()));
      ::_exit(::write(results[1], &outcome, 1) == 1 ? 0 : 1);
    }
    ::close(results[1]);
    EXPECT_EQ(::read(results[0], &result, 1), 1) << "the process has crashed";
  }
  // The kernel keeps a process whose read cannot be cancelled until the drive has gone.
  ::waitpid(child, nullptr, 0);
  ::close(results[0]);
  if (result == kUnavailable) {
    GTEST_SKIP() << "this machine refuses the backend";
  }
  EXPECT_EQ(int(result), kWorked) << "line, modulo 70";
}

INSTANTIATE_TEST_SUITE_P(backends, OverdueReads,
                         ::testing::Values("pread", "pread:direct=1,threads=2", "mmap", "hugepage", "uring",
                                           "uring:direct=0,fixed=0"));

TEST(OverdueWatchTest, tells_after_five_seconds_and_whenever_the_age_has_doubled) {
  static std::vector<Nanoseconds> ages;
  ages.clear();
  tell_overdue_reads([](const OverdueRead& read) { ages.push_back(read.age); });
  OverdueWatch watch;
  for (int second = 0; second <= 45; ++second) {
    EXPECT_FALSE(watch.gives_up({"x.store", 0, 4096, std::chrono::seconds(second)}));
  }
  EXPECT_EQ(ages, (std::vector<Nanoseconds>{std::chrono::seconds(5), std::chrono::seconds(10),
                                            std::chrono::seconds(20), std::chrono::seconds(40)}));
  watch.relax();
  EXPECT_FALSE(watch.gives_up({"x.store", 0, 4096, std::chrono::seconds(6)}));
  EXPECT_EQ(ages.size(), 5U);
  tell_overdue_reads(nullptr);
}

}  // namespace
}  // namespace spillway
