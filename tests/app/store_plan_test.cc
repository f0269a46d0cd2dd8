#include "app/run/store_plan.h"

#include <gtest/gtest.h>

#include <fstream>

#include "app/report/host.h"
#include "tests/support/program.h"

namespace spillway {
namespace {

TEST(StorePlan, TellsAScratchStoreFromOneThatIsThere) {
  const test::TemporaryDirectory directory;
  std::ofstream(directory / "file") << "x";
  const Result<StorePlan> scratch = plan_store({directory.path()}, 3, false);
  ASSERT_TRUE(scratch);
  EXPECT_TRUE(scratch->is_scratch());
  EXPECT_EQ(scratch->scratch.ranges_per_expert, 3U);
  const Result<StorePlan> there = plan_store({directory / "file"}, std::nullopt, false);
  ASSERT_TRUE(there);
  EXPECT_FALSE(there->is_scratch());
  EXPECT_EQ(plan_store({directory / "file"}, 1, false).error().kind, ErrorKind::usage);
  EXPECT_EQ(plan_store({directory / "file", directory.path()}, std::nullopt, false).error().kind,
            ErrorKind::usage);
  EXPECT_EQ(plan_store({directory / "missing"}, std::nullopt, false).error().kind, ErrorKind::failed);
}

TEST(DescribeFiles, NamesEachFileSystemAndDriveOnce) {
  const test::TemporaryDirectory directory;
  const std::string here = directory / "a";
  std::ofstream(here) << "x";
  std::ofstream(directory / "b") << "x";
  const std::vector<std::string> same = {here, directory / "b"};
  const StoreFacts alone = describe_files(std::vector<std::string>{here});
  if (alone.file_system.empty()) {
    GTEST_SKIP() << "the kernel's list of mounts does not have " << here << ": a chroot?";
  }
  EXPECT_EQ(describe_files(same).device, alone.device);
  EXPECT_EQ(describe_files(same).files.size(), 2U);
  const std::vector<std::string> other = {here, "/proc/version", here};
  const StoreFacts both = describe_files(other);
  EXPECT_EQ(both.file_system, alone.file_system + ", proc");
  EXPECT_TRUE(both.device.starts_with(alone.device + "; proc")) << both.device;
}

}  // namespace
}  // namespace spillway
