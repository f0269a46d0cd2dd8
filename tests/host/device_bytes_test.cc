#include "host/linux/device_bytes.h"

#include "backends/list.h"
#include "core/units.h"
#include "host/linux/page_cache.h"
#include "host/linux/page_memory.h"
#include "tests/support/make_plugin.h"
#include "tests/support/store_fixture.h"

namespace spillway {
namespace {

using testing::filled;
using testing::mentions;
using testing::TemporaryDirectory;

TEST(DeviceBytesTest, direct_reads_are_counted_by_the_kernel) {
  const TemporaryDirectory directory;
  const std::vector<std::string> files = {directory / "data"};
  testing::write_file(files[0], filled(8 * kMiB));
  ASSERT_TRUE(drop_page_cache(files));
  auto backend = make_plugin(backends(), "pread:direct=1", BackendEnv{files});
  SKIP_IF_UNAVAILABLE(backend);
  Result<PageMemory> memory = PageMemory::allocate(8 * kMiB, std::nullopt);
  ASSERT_TRUE(memory);
  const std::optional<uint64_t> before = process_device_bytes();
  if (!before) {
    GTEST_SKIP() << "the kernel does not count reads";
  }
  const IoRequest request = {.tag = 1, .range = {0, 0, 8 * kMiB}, .destination = memory->bytes().data()};
  ASSERT_EQ((*backend)->submit({&request, 1}), 1U);
  IoDone done;
  ASSERT_EQ((*backend)->reap({&done, 1}, 1), 1U);
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

}  // namespace
}  // namespace spillway
