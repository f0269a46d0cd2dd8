#include "host/linux/proc_text.h"

#include "tests/support/store_fixture.h"

namespace spillway {
namespace {

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

TEST(ProcTextTest, finds_the_time_that_the_host_took_away) {
  EXPECT_EQ(stolen_ticks("cpu  70 15 13 48 8 0 29 1360 4 5\ncpu0 1 2 3 4 5 6 7 8 9 10\n"), 1360U);
  EXPECT_EQ(stolen_ticks("cpu  70 15 13 48 8 0 29\ncpu0 1 2 3 4 5 6 7 8 9 10\n"),
            std::nullopt);  // an old kernel
  EXPECT_EQ(stolen_ticks("intr 70 15 13 48 8 0 29 1360 4 5\n"), std::nullopt);
  EXPECT_EQ(stolen_ticks(""), std::nullopt);
}

}  // namespace
}  // namespace spillway
