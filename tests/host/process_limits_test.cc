#include "host/linux/process_limits.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

#include "core/units.h"
#include "host/linux/cgroup.h"
#include "host/linux/page_cache.h"
#include "host/linux/page_memory.h"
#include "host/posix_file.h"
#include "tests/support/store_fixture.h"

namespace spillway {
namespace {

using testing::filled;
using testing::memory_directory;
using testing::mentions;
using testing::TemporaryDirectory;

TEST(ProcessLimitsTest, holds_the_page_cache_down_and_goes_away) {
  const TemporaryDirectory directory;
  const std::string path = directory / "data";
  testing::write_file(path, filled(96 * kMiB));
  ASSERT_TRUE(drop_page_cache(std::vector{path}));
  const std::string home = read_text("/proc/self/cgroup").value_or("");
  std::string cage;
  {
    Result<std::unique_ptr<LimitedProcess>> limit = limit_process({.memory_bytes = 64 * kMiB});
    SKIP_IF_UNAVAILABLE(limit);
    ASSERT_EQ((*limit)->directories().size(), 1U);
    cage = (*limit)->directories().front();
    EXPECT_TRUE(std::filesystem::exists(cage));
    EXPECT_NE(read_text("/proc/self/cgroup").value_or(""), home);
    EXPECT_LE(memory_within_reach().value_or(0), 64 * kMiB);
    EXPECT_LE(memory_at_most().value_or(0), 64 * kMiB);
    const Result<FileHandle> file = open_file(path, O_RDONLY);
    std::vector<std::byte> piece(1 * kMiB);
    for (uint64_t offset = 0; offset < 96 * kMiB; offset += piece.size()) {
      ASSERT_EQ(read_at(file->get(), piece, offset).bytes, piece.size());
    }
    EXPECT_LE(*cached_bytes(path), 64 * kMiB);
  }
  EXPECT_FALSE(std::filesystem::exists(cage));
  EXPECT_EQ(read_text("/proc/self/cgroup").value_or(""), home);
}

TEST(ProcessLimitsTest, refuses_what_leaves_no_room_beside_uncharged_memory) {
  const auto limit = limit_process({.memory_bytes = 1 * kGiB, .uncharged_bytes = 1 * kGiB});
  ASSERT_FALSE(limit);
  EXPECT_EQ(limit.error().kind, ErrorKind::usage);
}

// Reads `bytes`, the whole length of the file at `path`, past the page cache, and returns the time.
std::chrono::nanoseconds time_to_read(const std::string& path, uint64_t bytes) {
  const Result<FileHandle> file = open_file(path, O_RDONLY | O_DIRECT);
  Result<PageMemory> piece = PageMemory::allocate(1 * kMiB, PageKind::small);
  EXPECT_TRUE(file && piece && piece->touch());
  const auto begin = std::chrono::steady_clock::now();
  for (uint64_t offset = 0; offset < bytes; offset += kMiB) {
    EXPECT_EQ(read_at(file->get(), piece->bytes().first(kMiB), offset).bytes, kMiB);
  }
  return std::chrono::steady_clock::now() - begin;
}

TEST(ProcessLimitsTest, slows_a_drive_down_beside_a_memory_limit_and_goes_away) {
  const TemporaryDirectory directory;
  const std::string path = directory / "data";
  constexpr uint64_t kBytes = 64 * kMiB;
  std::vector<std::string> cages;
  testing::write_file(path, filled(kBytes));
  ASSERT_TRUE(drop_page_cache(std::vector{path}));
  const std::string home = read_text("/proc/self/cgroup").value_or("");
  {
    Result<std::unique_ptr<LimitedProcess>> limit =
        limit_process({.memory_bytes = kGiB, .read_bytes_per_s = 64 * kMiB, .files = {path, path}});
    SKIP_IF_UNAVAILABLE(limit);
    // The kernel does not delay the reads of the first tenths of a second.
    EXPECT_GE(time_to_read(path, kBytes), std::chrono::milliseconds(600));
    for (const std::string& cage : (*limit)->directories()) {
      cages.push_back(cage);
      EXPECT_TRUE(std::filesystem::exists(cage));
    }
  }
  for (const std::string& cage : cages) {
    EXPECT_FALSE(std::filesystem::exists(cage));
  }
  EXPECT_EQ(read_text("/proc/self/cgroup").value_or(""), home);
}

TEST(ProcessLimitsTest, takes_the_place_of_a_cgroup_that_a_process_of_its_number_left_behind) {
  const std::optional<OwnCgroup> own = own_cgroup("memory");
  if (!own || ::mkdir(fmt::format("{}/spillway-{}", own->directory, ::getpid()).c_str(), 0755) != 0) {
    GTEST_SKIP() << "this user may not make cgroups";
  }
  Result<std::unique_ptr<LimitedProcess>> limit = limit_process({.memory_bytes = kGiB});
  SKIP_IF_UNAVAILABLE(limit);
  EXPECT_TRUE(std::filesystem::exists((*limit)->directories().front()));
}

// A cgroup of version 2 for the tests, in a hierarchy that this user may divide.
class DelegatedCgroup : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* mount : {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"}) {
      const std::string directory = fmt::format("{}/spillway-test-{}", mount, ::getpid());
      if (read_text(std::string(mount) + "/cgroup.procs") &&
          ::access((std::string(mount) + "/tasks").c_str(), F_OK) != 0 &&
          ::mkdir(directory.c_str(), 0755) == 0) {
        own_ = {.version = 2, .directory = directory, .mount = mount};
        return;
      }
    }
    GTEST_SKIP() << "this user may not make cgroups of version 2";
  }
  void TearDown() override { ::rmdir(own_.directory.c_str()); }

  // Runs `look` in a process that is in the cgroup. Returns its exit status.
  template <class Look>
  int in_a_child(Look look) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::_exit(write_text(own_.directory + "/cgroup.procs", "0") == 0 ? look() : 77);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  }

  OwnCgroup own_;
};

TEST_F(DelegatedCgroup, a_process_steps_aside_and_returns) {
  const int status = in_a_child([&] {
    const std::string self = fmt::format("{}\n", ::getpid());
    std::string below;
    {
      const std::unique_ptr<LimitedProcess> aside = step_aside(own_);
      if (aside->directories().size() != 1) {
        return 1;
      }
      below = aside->directories().front();
      if (read_text(own_.directory + "/cgroup.procs") != "" || read_text(below + "/cgroup.procs") != self) {
        return 2;
      }
    }
    return read_text(own_.directory + "/cgroup.procs") == self && !std::filesystem::exists(below) ? 0 : 3;
  });
  EXPECT_EQ(status, 0);
}

TEST_F(DelegatedCgroup, a_process_among_others_stays_where_it_is) {
  const int status = in_a_child([&] {
    int waits[2] = {-1, -1};
    if (::pipe(waits) != 0) {
      return 4;
    }
    const pid_t other = ::fork();
    if (other == 0) {
      char byte = 0;
      ::close(waits[1]);
      ::_exit(::read(waits[0], &byte, 1) == 0 ? 0 : 1);
    }
    const bool stayed = step_aside(own_)->directories().empty();
    ::close(waits[1]);
    ::waitpid(other, nullptr, 0);
    return stayed ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
}

TEST_F(DelegatedCgroup, nobody_steps_aside_at_the_root_or_in_version_1) {
  const int status = in_a_child([&] {
    OwnCgroup root = own_;
    root.mount = root.directory;
    OwnCgroup first = own_;
    first.version = 1;
    return step_aside(root)->directories().empty() && step_aside(first)->directories().empty() ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
}

TEST(ProcessLimitsTest, a_user_without_rights_learns_how_to_get_them) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "needs root, to become a user without rights";
  }
  const pid_t child = ::fork();
  if (child == 0) {
    const bool other = ::setgid(65534) == 0 && ::setuid(65534) == 0;
    const auto limit = limit_process({.memory_bytes = kGiB});
    const bool told = !limit && limit.error().kind == ErrorKind::unavailable &&
                      mentions(limit.error().message, "systemd-run --user --scope -p Delegate=yes spillway");
    ::_exit(other && told ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(ProcessLimitsTest, refuses_a_rate_where_no_drive_is_below) {
  if (::access("/dev/shm", W_OK) != 0) {
    GTEST_SKIP() << "no tmpfs at /dev/shm";
  }
  const TemporaryDirectory directory(memory_directory());
  const std::string path = directory / "data";
  testing::write_file(path, filled(4096));
  const auto limit = limit_process({.read_bytes_per_s = kMiB, .files = {path}});
  ASSERT_FALSE(limit);
  EXPECT_EQ(limit.error().kind, ErrorKind::unavailable);
  EXPECT_TRUE(mentions(limit.error().message, path)) << limit.error().message;
}

TEST(ProcessLimitsTest, finds_the_cgroup_in_every_arrangement) {
  const auto directory = [](std::string_view cgroup, std::string_view mounts) {
    const auto found = find_cgroup("memory", cgroup, mounts);
    return found ? fmt::format("{} {}", found->version, found->directory) : "none";
  };
  // Version 2 alone, as systemd mounts it.
  EXPECT_EQ(directory("0::/user.slice/run-1.scope\n",
                      "31 23 0:28 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n"),
            "2 /sys/fs/cgroup/user.slice/run-1.scope");
  // Version 1 beside a version 2 without the controller.
  const std::string hybrid =
      "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
  EXPECT_EQ(directory("4:memory:/a/b\n1:cpu:/\n0::/x\n", hybrid), "1 /sys/fs/cgroup/memory/a/b");
  // Several controllers in one hierarchy; the process at its root.
  EXPECT_EQ(directory("4:cpu,memory:/\n", "35 31 0:32 / /cg rw shared:9 - cgroup none rw,cpu,memory\n"),
            "1 /cg");
  // A container that sees a subtree, and a container whose process is outside that subtree.
  EXPECT_EQ(directory("4:memory:/docker/1/x\n", "35 31 0:32 /docker/1 /cg rw - cgroup c rw,memory\n"),
            "1 /cg/x");
  EXPECT_EQ(directory("4:memory:/docker/2\n", "35 31 0:32 /docker/1 /cg rw - cgroup c rw,memory\n"), "none");
  // Each controller of version 1 in a place of its own.
  const auto block = find_cgroup("blkio", "7:blkio:/x\n4:memory:/a\n0::/u\n",
                                 "35 31 0:32 / /cg/memory rw - cgroup c rw,memory\n"
                                 "36 31 0:33 / /cg/blkio rw - cgroup c rw,blkio\n");
  ASSERT_TRUE(block);
  EXPECT_EQ(block->directory, "/cg/blkio/x");
  EXPECT_EQ(directory("0::/../other\n", "31 23 0:28 / /cg rw - cgroup2 cgroup2 rw\n"), "none");
  EXPECT_EQ(directory("", ""), "none");
  EXPECT_EQ(directory("nonsense\n", "nonsense - \n"), "none");
}

}  // namespace
}  // namespace spillway
