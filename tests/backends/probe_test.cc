#include "backends/probe.h"

#include "core/units.h"
#include "host/linux/page_memory.h"
#include "tests/support/store_fixture.h"

namespace spillway {
namespace {

using testing::filled;
using testing::mentions;
using testing::TemporaryDirectory;

TEST(ProbeTest, measures_the_drive_and_says_how) {
  const TemporaryDirectory directory;
  const std::vector<std::string> files = {directory / "a", directory / "b"};
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
  const TemporaryDirectory directory;
  const std::vector<std::string> files = {directory / "a"};
  testing::write_file(files[0], "few bytes");
  Result<PageMemory> memory = PageMemory::allocate(2 * kMiB, std::nullopt);
  ASSERT_TRUE(memory);
  const Result<ProbeResult> probe = probe_drive(files, Nanoseconds(1'000'000), memory->bytes());
  ASSERT_FALSE(probe);
  EXPECT_TRUE(mentions(probe.error().message, "too small")) << probe.error().message;
}

}  // namespace
}  // namespace spillway
