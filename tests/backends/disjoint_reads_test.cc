#include "tests/support/disjoint_reads.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "backends/list.h"
#include "backends/probe.h"
#include "backends/steady_load.h"
#include "core/units.h"
#include "host/linux/page_memory.h"
#include "tests/support/fakes.h"
#include "tests/support/faulty_drive.h"
#include "tests/support/make_plugin.h"
#include "tests/support/store_fixture.h"

// File systems with checksums (btrfs, ZFS) verify what they read in the memory of the reader. Where two reads
// are in flight into the same memory, they report EIO.
namespace spillway {
namespace {

using testing::DisjointReads;
using testing::TemporaryDirectory;

constexpr uint64_t kOddBlock = 64 * kKiB + 512;  // ends within a page

struct Load {
  const char* backend;
  uint32_t depth;
};

class DisjointLoad : public ::testing::TestWithParam<Load> {};

TEST_P(DisjointLoad, has_no_two_reads_in_flight_into_the_same_memory) {
  const auto [spec, depth] = GetParam();
  const TemporaryDirectory directory;
  const std::vector<std::string> files = {directory / "data"};
  testing::write_file(files[0], testing::filled(16 * kMiB));
  // Room for exactly the reads in flight: places given out in turn would overlap at once.
  Result<PageMemory> memory = PageMemory::allocate(memory_for_load(kOddBlock, depth), std::nullopt);
  ASSERT_TRUE(memory);
  const std::span<std::byte> room = memory->bytes().first(memory_for_load(kOddBlock, depth));
  Result<std::unique_ptr<Backend>> made = make_plugin(backends(), spec, BackendEnv{files});
  SKIP_IF_UNAVAILABLE(made);
  DisjointReads watched(std::move(*made));
  ASSERT_TRUE(watched.attach(room));
  const uint64_t block = round_up(kOddBlock, watched.caps().alignment);
  LoadPlaces places(std::vector<uint64_t>{16 * kMiB}, 1);
  for (const LoadPlaces::Order order : {LoadPlaces::Order::random, LoadPlaces::Order::sequential}) {
    const SteadyLoad load = {
        .block = block, .depth = depth, .order = order, .duration = std::chrono::milliseconds(20)};
    EXPECT_EQ(run_load(watched, places, load, room).error, 0);
  }
  const SteadyLoad batches = {
      .block = block, .depth = depth, .duration = std::chrono::milliseconds(20), .stretch = 2 * depth};
  EXPECT_EQ(run_batches(watched, places, batches, room).error, 0);
  tells_all_at_once(watched, places, room);
  EXPECT_EQ(watched.overlaps, 0U);
  EXPECT_GT(watched.reads, depth);
  EXPECT_EQ(watched.most_in_flight, depth);
}

INSTANTIATE_TEST_SUITE_P(backends_and_depths, DisjointLoad,
                         ::testing::Values(Load{"uring", 1}, Load{"uring", 16}, Load{"uring:chunk=16KiB", 64},
                                           Load{"uring:direct=0,fixed=0", 7}, Load{"pread", 16},
                                           Load{"pread:threads=3", 64}, Load{"pread:direct=1,threads=64", 64},
                                           Load{"pread:threads=1,depth=2", 2}, Load{"mmap", 16},
                                           Load{"hugepage", 16}, Load{"null", 16}),
                         [](const auto& load) {
                           std::string name =
                               load.param.backend + std::string("_depth_") + std::to_string(load.param.depth);
                           std::replace_if(
                               name.begin(), name.end(), [](char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

// Reads end in any order, so that the places come back in any order.
TEST(DisjointReadsTest, holds_for_a_drive_that_ends_reads_in_any_order) {
  constexpr uint32_t kDepth = 16;
  for (const uint64_t places_in_memory : {16, 17, 40}) {
    fake::PatternDrive pattern(kDepth, 512);
    auto drive = std::make_unique<fake::FaultyDrive>(pattern, fake::Faults{.late = 0.3, .out_of_order = true},
                                                     places_in_memory);
    DisjointReads watched(std::move(drive));
    std::vector<std::byte> memory(places_in_memory * memory_for_load(4 * kKiB, 1));
    ASSERT_TRUE(watched.attach(memory));
    LoadPlaces places(std::vector<uint64_t>{64 * kMiB}, 1);
    run_load(watched, places, {.block = 4 * kKiB, .depth = kDepth, .duration = std::chrono::milliseconds(5)},
             memory);
    EXPECT_EQ(watched.overlaps, 0U);
    EXPECT_EQ(watched.most_in_flight, kDepth);
  }
}

// The memory of the smallest caches holds fewer blocks than the probe would have in flight.
TEST(DisjointReadsTest, holds_for_the_probe_however_little_memory_it_has) {
  const TemporaryDirectory directory;
  const std::vector<std::string> files = {directory / "data"};
  testing::write_file(files[0], testing::filled(16 * kMiB));
  for (const uint64_t bytes : {kMiB, 3 * kMiB + 4 * kKiB, 64 * kMiB}) {
    Result<PageMemory> memory = PageMemory::allocate(bytes, std::nullopt);
    ASSERT_TRUE(memory && memory->touch());
    uint64_t overlaps = 0;
    const auto make = [&](const std::string& spec) -> Result<std::unique_ptr<Backend>> {
      Result<std::unique_ptr<Backend>> below = backends().known(spec).make({files});
      if (!below) {
        return below;
      }
      return std::make_unique<DisjointReads>(std::move(*below), &overlaps);
    };
    const Result<ProbeResult> probe =
        probe_drive(files, std::chrono::milliseconds(120), memory->bytes().first(bytes), make);
    SKIP_IF_UNAVAILABLE(probe);
    EXPECT_EQ(overlaps, 0U) << bytes;
  }
}

}  // namespace
}  // namespace spillway
