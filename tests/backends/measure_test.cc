#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <thread>

#include "backends/device_bytes.h"
#include "backends/list.h"
#include "backends/memory_limit.h"
#include "backends/page_cache.h"
#include "backends/page_memory.h"
#include "backends/posix_file.h"
#include "backends/probe.h"
#include "backends/proc_text.h"
#include "core/units.h"
#include "tests/backends/fixture.h"

namespace spillway {
namespace {

using testing::TestDirectory;

bool mentions(const std::string& message, const std::string& part) {
  return message.find(part) != std::string::npos;
}

std::string filled(uint64_t bytes) {
  std::string text(bytes, '\0');
  GeneratedContent(1, 0).fill(0, std::as_writable_bytes(std::span(text)));
  return text;
}

// ---- page memory

TEST(PageMemoryTest, is_what_was_asked_for_aligned_and_writable) {
  for (const PageKind kind : {PageKind::small, PageKind::thp, PageKind::hugetlb}) {
    Result<PageMemory> memory = PageMemory::allocate(5 * kMiB, kind);
    if (!memory && memory.error().kind == ErrorKind::unavailable) {
      continue;
    }
    ASSERT_TRUE(memory) << memory.error().message;
    EXPECT_EQ(memory->kind(), kind);
    EXPECT_EQ(memory->size(), 6 * kMiB);
    EXPECT_EQ(reinterpret_cast<uint64_t>(memory->bytes().data()) % (2 * kMiB), 0U);
    ASSERT_TRUE(memory->touch());
    memory->bytes().front() = std::byte{1};
    memory->bytes().back() = std::byte{2};
    EXPECT_LE(memory->huge_bytes(), memory->size());
    EXPECT_TRUE(mentions(memory->describe(), "6.29 MB"));
    const PageMemory moved = std::move(*memory);
    EXPECT_EQ(moved.bytes().back(), std::byte{2});
  }
}

TEST(PageMemoryTest, small_pages_are_never_huge) {
  Result<PageMemory> memory = PageMemory::allocate(8 * kMiB, PageKind::small);
  ASSERT_TRUE(memory && memory->touch());
  EXPECT_EQ(memory->huge_bytes(), 0U);
}

TEST(PageMemoryTest, transparent_huge_pages_are_counted_as_granted) {
  if (!mentions(read_text("/sys/kernel/mm/transparent_hugepage/enabled").value_or("[never]"), "[")) {
    GTEST_SKIP() << "no transparent huge pages";
  }
  Result<PageMemory> memory = PageMemory::allocate(16 * kMiB, PageKind::thp);
  SKIP_IF_UNAVAILABLE(memory);
  ASSERT_TRUE(memory->touch());
  if (memory->huge_bytes() == 0) {
    GTEST_SKIP() << "the kernel granted none: " << memory->describe();
  }
  EXPECT_TRUE(mentions(memory->describe(), "transparent huge pages"));
}

TEST(PageMemoryTest, a_pool_too_small_is_refused_with_the_line_that_enlarges_it) {
  const Result<PageMemory> memory = PageMemory::allocate(uint64_t(1) << 45, PageKind::hugetlb);
  ASSERT_FALSE(memory);
  EXPECT_EQ(memory.error().kind, ErrorKind::unavailable);
  EXPECT_TRUE(mentions(memory.error().message, "sysctl vm.nr_hugepages=16777216")) << memory.error().message;
}

TEST(PageMemoryTest, without_a_wish_there_is_always_some_kind) {
  Result<PageMemory> memory = PageMemory::allocate(1, std::nullopt);
  ASSERT_TRUE(memory);
  EXPECT_NE(memory->kind(), PageKind::small);
  EXPECT_FALSE(PageMemory::allocate(0, std::nullopt));
}

TEST(PageKindTest, has_names_that_parse) {
  EXPECT_EQ(*parse_page_kind("thp"), PageKind::thp);
  EXPECT_TRUE(mentions(parse_page_kind("huge").error().message, "small, thp, hugetlb"));
}

// ---- page cache and device

TEST(PageCacheTest, a_file_is_warm_when_read_and_cold_when_dropped) {
  const TestDirectory directory;
  const std::string path = directory.file("data");
  testing::write_file(path, filled(4 * kMiB));
  ASSERT_TRUE(drop_page_cache(std::vector{path}));
  const Result<uint64_t> cold = cached_bytes(path);
  ASSERT_TRUE(cold);
  EXPECT_EQ(testing::read_file(path).size(), 4 * kMiB);
  const Result<uint64_t> warm = cached_bytes(path);
  ASSERT_TRUE(warm);
  if (*warm == 0 || *cold == *warm) {
    GTEST_SKIP() << "this file system keeps its own cache: " << *cold << " and " << *warm;
  }
  EXPECT_EQ(*warm, 4 * kMiB);
  EXPECT_EQ(*cold, 0U);
}

TEST(PageCacheTest, names_the_file_that_is_not_there) {
  EXPECT_TRUE(mentions(drop_page_cache(std::vector<std::string>{"/nowhere"}).error().message, "/nowhere"));
  EXPECT_TRUE(mentions(cached_bytes("/nowhere").error().message, "/nowhere"));
}

TEST(DeviceBytesTest, direct_reads_are_counted_by_the_kernel) {
  const TestDirectory directory;
  const std::vector<std::string> files = {directory.file("data")};
  testing::write_file(files[0], filled(8 * kMiB));
  ASSERT_TRUE(drop_page_cache(files));
  auto backend = make_plugin(backends(), "backend", "pread:direct=1", BackendEnv{files});
  SKIP_IF_UNAVAILABLE(backend);
  Result<PageMemory> memory = PageMemory::allocate(8 * kMiB, std::nullopt);
  ASSERT_TRUE(memory);
  const std::optional<uint64_t> before = process_device_bytes();
  if (!before) {
    GTEST_SKIP() << "the kernel does not count reads";
  }
  const IoRequest request = {.tag = 1, .range = {0, 0, 8 * kMiB}, .destination = memory->bytes().data()};
  ASSERT_EQ(backend->port->submit({&request, 1}), 1U);
  IoDone done;
  ASSERT_EQ(backend->port->reap({&done, 1}, 1), 1U);
  const Result<DeviceInfo> device = device_below(files[0]);
  ASSERT_TRUE(device);
  if (device->name.empty()) {
    GTEST_SKIP() << "no block device: " << describe(*device);
  }
  EXPECT_GE(*process_device_bytes() - *before, 8 * kMiB);
  EXPECT_GT(device_read_bytes(*device).value_or(1), 0U);
}

TEST(DeviceBytesTest, a_file_in_memory_has_no_device) {
  const Result<DeviceInfo> device = device_below("/proc/self");
  ASSERT_TRUE(device);
  EXPECT_TRUE(device->name.empty());
  EXPECT_FALSE(device_read_bytes(*device));
  EXPECT_TRUE(mentions(describe(*device), "without a block device"));
  EXPECT_TRUE(mentions(device_below("/nowhere").error().message, "/nowhere"));
}

// ---- the probe

TEST(ProbeTest, measures_the_drive_and_says_how) {
  const TestDirectory directory;
  const std::vector<std::string> files = {directory.file("a"), directory.file("b")};
  testing::write_file(files[0], filled(12 * kMiB));
  testing::write_file(files[1], filled(6 * kMiB + 1));
  Result<PageMemory> memory = PageMemory::allocate(32 * kMiB, std::nullopt);
  ASSERT_TRUE(memory && memory->touch());
  const Result<ProbeResult> probe = probe_drive(files, Nanoseconds(120'000'000), memory->bytes());
  SKIP_IF_UNAVAILABLE(probe);
  EXPECT_GT(probe->bytes_per_second, 0);
  EXPECT_TRUE(mentions(probe->setting, "reads")) << probe->setting;
  EXPECT_GT(probe->bytes_requested, 0U);
}

TEST(ProbeTest, refuses_a_store_that_is_too_small) {
  const TestDirectory directory;
  const std::vector<std::string> files = {directory.file("a")};
  testing::write_file(files[0], "few bytes");
  Result<PageMemory> memory = PageMemory::allocate(2 * kMiB, std::nullopt);
  ASSERT_TRUE(memory);
  const Result<ProbeResult> probe = probe_drive(files, Nanoseconds(1'000'000), memory->bytes());
  ASSERT_FALSE(probe);
  EXPECT_TRUE(mentions(probe.error().message, "too small")) << probe.error().message;
}

// ---- the memory limit

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

// ---- the texts of /proc

TEST(ProcTextTest, reads_numbers_by_their_keys) {
  const std::string text = "rchar: 5\nread_bytes: 4096\nMemAvailable:   12 kB\n";
  EXPECT_EQ(number_of(text, "read_bytes"), 4096U);
  EXPECT_EQ(kilobytes_of(text, "MemAvailable"), 12'288U);
  EXPECT_EQ(number_of(text, "char"), std::nullopt);
  EXPECT_EQ(number_of("", "x"), std::nullopt);
}

TEST(ProcTextTest, undoes_the_escapes_of_mount_points) {
  const auto mounts = parse_mountinfo("1 2 8:1 / /my\\040disk rw - ext4 /dev/sda1 rw\n");
  ASSERT_EQ(mounts.size(), 1U);
  EXPECT_EQ(mounts[0].where, "/my disk");
}

// ---- what the kernel refuses

TEST(Refusals, a_registration_beyond_the_lock_limit_goes_on_without_and_says_so) {
  const TestDirectory directory;
  const std::vector<std::string> files = {directory.file("data")};
  testing::write_file(files[0], filled(64 * kKiB));
  auto backend = make_plugin(backends(), "backend", "uring", BackendEnv{files});
  SKIP_IF_UNAVAILABLE(backend);
  // Memory that may not be written to cannot be registered, whoever asks.
  Result<PageMemory> memory = PageMemory::allocate(2 * kMiB, std::nullopt);
  ASSERT_TRUE(memory);
  const std::span<std::byte> nowhere(reinterpret_cast<std::byte*>(uint64_t(1) << 21), 4096);
  ASSERT_TRUE(backend->port->attach(nowhere));
  EXPECT_TRUE(mentions(backend->port->caps().note, "refused")) << backend->port->caps().note;
  const IoRequest request = {.tag = 1, .range = {0, 0, 4096}, .destination = memory->bytes().data()};
  ASSERT_EQ(backend->port->submit({&request, 1}), 1U);
  IoDone done;
  ASSERT_EQ(backend->port->reap({&done, 1}, 1), 1U);
  EXPECT_EQ(done.error, 0);
}

TEST(Refusals, options_that_make_no_sense_are_wrong_usage) {
  const std::vector<std::string> none;
  for (const char* spec : {"uring:depth=0", "uring:depth=99999999", "uring:iopoll=1,direct=0",
                           "pread:threads=0", "pread:depth=0", "mmap:advice=hope", "null:depth=0",
                           "hugepage:threads=0", "uring:speed=9", "uring:depth=abc"}) {
    const auto made = make_plugin(backends(), "backend", spec, BackendEnv{none});
    ASSERT_FALSE(made) << spec;
    EXPECT_EQ(made.error().kind, ErrorKind::usage) << made.error().message;
  }
}

TEST(Refusals, a_chunk_that_is_no_multiple_of_the_block_is_wrong_usage) {
  const TestDirectory directory;
  const std::vector<std::string> files = {directory.file("data")};
  testing::write_file(files[0], "x");
  const auto made = make_plugin(backends(), "backend", "uring:chunk=1000", BackendEnv{files});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind == ErrorKind::usage || made.error().kind == ErrorKind::unavailable, true)
      << made.error().message;
}

}  // namespace
}  // namespace spillway
