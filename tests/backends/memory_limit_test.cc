#include "backends/memory_limit.h"

#include <fcntl.h>

#include "backends/page_cache.h"
#include "backends/posix_file.h"
#include "core/units.h"
#include "tests/backends/fixture.h"

namespace spillway {
namespace {

using testing::filled;
using testing::mentions;
using testing::TestDirectory;

TEST(MemoryLimitTest, holds_the_page_cache_down_and_goes_away) {
  const TestDirectory directory;
  const std::string path = directory.file("data");
  testing::write_file(path, filled(96 * kMiB));
  ASSERT_TRUE(drop_page_cache(std::vector{path}));
  const std::string home = read_text("/proc/self/cgroup").value_or("");
  std::string cage;
  {
    Result<std::unique_ptr<MemoryLimit>> limit = limit_process_memory(64 * kMiB);
    SKIP_IF_UNAVAILABLE(limit);
    cage = (*limit)->directory();
    EXPECT_TRUE(std::filesystem::exists(cage));
    EXPECT_NE(read_text("/proc/self/cgroup").value_or(""), home);
    EXPECT_LE(memory_within_reach().value_or(0), 64 * kMiB);
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

TEST(MemoryLimitTest, refuses_what_leaves_no_room_beside_uncharged_memory) {
  const auto limit = limit_process_memory(1 * kGiB, 1 * kGiB);
  ASSERT_FALSE(limit);
  EXPECT_EQ(limit.error().kind, ErrorKind::usage);
}

TEST(MemoryLimitTest, finds_the_cgroup_in_every_arrangement) {
  const auto directory = [](std::string_view cgroup, std::string_view mounts) {
    const auto found = find_memory_cgroup(cgroup, mounts);
    return found ? fmt::format("{} {}", found->version, found->directory) : "none";
  };
  // Version 2 alone, as systemd has it.
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
  // A container that sees a subtree, and one whose process is outside of what it sees.
  EXPECT_EQ(directory("4:memory:/docker/1/x\n", "35 31 0:32 /docker/1 /cg rw - cgroup c rw,memory\n"),
            "1 /cg/x");
  EXPECT_EQ(directory("4:memory:/docker/2\n", "35 31 0:32 /docker/1 /cg rw - cgroup c rw,memory\n"), "none");
  EXPECT_EQ(directory("0::/../other\n", "31 23 0:28 / /cg rw - cgroup2 cgroup2 rw\n"), "none");
  EXPECT_EQ(directory("", ""), "none");
  EXPECT_EQ(directory("nonsense\n", "nonsense - \n"), "none");
}

}  // namespace
}  // namespace spillway
