#include "core/units.h"

#include <gtest/gtest.h>

namespace spillway {
namespace {

TEST(Units, ReadsSizesAsPeopleWriteThem) {
  EXPECT_EQ(parse_bytes("10GB")->count, 10'000'000'000U);
  EXPECT_EQ(parse_bytes("512MiB")->count, 512 * kMiB);
  EXPECT_EQ(parse_bytes("1.5 GiB")->count, 3 * kGiB / 2);
  EXPECT_EQ(parse_bytes("4096")->count, 4096U);
  EXPECT_EQ(parse_bytes("4k")->count, 4000U);
  EXPECT_EQ(parse_bytes("0")->count, 0U);
}

TEST(Units, RefusesWhatIsNotASize) {
  for (const char* text : {"", "GB", "-1GB", "10 gigs", "1e99GB", "nan", "inf", "0x10", "10GB/s", "10GB "}) {
    const Result<Bytes> size = parse_bytes(text);
    ASSERT_FALSE(size) << text;
    EXPECT_EQ(size.error().kind, ErrorKind::usage);
  }
}

TEST(Units, ReadsRatesAndDurations) {
  EXPECT_EQ(parse_rate("3.6GB/s")->count, 3'600'000'000U);
  EXPECT_FALSE(parse_rate("3.6GB"));
  EXPECT_EQ(parse_duration("2ms")->count(), 2'000'000);
  EXPECT_EQ(parse_duration("1.5s")->count(), 1'500'000'000);
  EXPECT_FALSE(parse_duration("2"));
}

TEST(Units, PrintsASizeSoThatItReadsBackExactly) {
  for (const uint64_t bytes :
       {0UL, 1UL, 999UL, 4096UL, 3'059'712UL, 10'000'000'000UL, 512 * kMiB, 5 * kGiB}) {
    EXPECT_EQ(parse_bytes(exact_bytes({bytes}))->count, bytes);
  }
  EXPECT_EQ(exact_bytes({10'000'000'000}), "10GB");
  EXPECT_EQ(exact_bytes({kGiB}), "1GiB");
}

TEST(Units, PrintsThreeDigits) {
  EXPECT_EQ(format_bytes(3'059'712), "3.06 MB");
  EXPECT_EQ(format_bytes(18'800'870'400), "18.8 GB");
  EXPECT_EQ(format_duration(Nanoseconds(1'240'000)), "1.24 ms");
}

}  // namespace
}  // namespace spillway
