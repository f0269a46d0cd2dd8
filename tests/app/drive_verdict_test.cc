#include "app/calibrate/drive_verdict.h"

#include <gtest/gtest.h>

#include "core/json.h"
#include "core/units.h"

namespace spillway {
namespace {

struct Rate {
  uint64_t block;
  uint32_t depth;
  double gb_per_s;
};

AccessMethod way(const std::string& name, const std::vector<Rate>& rates) {
  AccessMethod method;
  method.name = name;
  method.backend = name + ":depth=64";
  for (const Rate& rate : rates) {
    LoadPoint point;
    point.block_bytes = rate.block;
    point.depth = rate.depth;
    point.bytes_per_s = rate.gb_per_s * 1e9;
    method.random.push_back(point);
  }
  return method;
}

DeviceProfile drive() {
  DeviceProfile profile;
  profile.methods = {
      way("uring", {{kMiB, 1, 1.0}, {kMiB, 8, 6.8}, {kMiB, 64, 7.0}, {4 * kMiB, 1, 2.0}, {4 * kMiB, 8, 5.0}}),
      way("pread direct", {{kMiB, 8, 6.0}, {4 * kMiB, 8, 5.5}}),
      way("mmap cold", {{kMiB, 8, 0.5}, {4 * kMiB, 8, 0.9}}),
      way("mmap warm", {{kMiB, 8, 90.0}, {4 * kMiB, 8, 90.0}}),
  };
  return profile;
}

TEST(DriveVerdictTest, is_the_fastest_way_from_the_drive_at_the_least_depth_that_nearly_reaches_it) {
  const auto verdict = judge(drive(), kMiB);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->method, "uring");
  EXPECT_EQ(verdict->depth, 8U);
  EXPECT_EQ(verdict->bytes_per_s, 6.8e9);
}

TEST(DriveVerdictTest, judges_by_the_block_that_is_nearest_in_size) {
  EXPECT_EQ(judge(drive(), 3 * kMiB)->block_bytes, 4 * kMiB);
  EXPECT_EQ(judge(drive(), 3 * kMiB)->method, "pread direct");
  EXPECT_EQ(judge(drive(), 100)->block_bytes, kMiB);
  EXPECT_EQ(judge(drive(), kGiB)->block_bytes, 4 * kMiB);
}

TEST(DriveVerdictTest, says_what_not_to_do_the_worst_first) {
  const auto verdict = judge(drive(), kMiB);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(describe(*verdict),
            "for experts of 1MiB: uring with 8 reads in flight, 6.80 GB/s\n"
            "avoid: mmap cold (0.50 GB/s), uring with one read in flight (1.00 GB/s)\n");
  const Json json = to_json(*verdict);
  EXPECT_EQ(json["avoid"][0]["what"], "mmap cold");
  EXPECT_EQ(json["avoid"].size(), 2U);
}

TEST(DriveVerdictTest, warns_of_nothing_where_nothing_is_slow) {
  DeviceProfile profile;
  profile.methods = {way("uring", {{kMiB, 1, 0.5}, {kMiB, 8, 0.51}})};
  EXPECT_EQ(describe(*judge(profile, kMiB)),
            "for experts of 1MiB: uring with one read in flight, 0.50 GB/s\n");
}

TEST(DriveVerdictTest, is_none_of_a_page_cache_alone) {
  DeviceProfile profile;
  profile.methods = {way("pread warm", {{kMiB, 1, 9}})};
  EXPECT_FALSE(judge(profile, kMiB));
}

}  // namespace
}  // namespace spillway
