#include "core/nearest.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/units.h"

namespace spillway {
namespace {

const std::vector<std::string> kNames = {"lru", "lfu", "wtinylfu", "--cache", "--compute"};

TEST(Nearest, IsTheNameThatWasProbablyMeant) {
  EXPECT_EQ(meant_or_all("lro", kNames), "; did you mean 'lru'?");
  EXPECT_EQ(meant_or_all("--cahce", kNames), "; did you mean '--cache'?");
  EXPECT_EQ(meant_or_all("wtynilfu", kNames), "; did you mean 'wtinylfu'?");
  EXPECT_EQ(meant_or_all("belady", kNames), "; there are: lru, lfu, wtinylfu, --cache, --compute");
  EXPECT_EQ(meant_or_all("x", {}), "; there are: none");
}

TEST(Units, SizesAreWrittenInAnyCase) {
  for (const char* text : {"10GB", "10gb", "10 gb", "10G", "10g", "10Gb"}) {
    EXPECT_EQ(parse_bytes(text).value().count, 10'000'000'000U) << text;
  }
  for (const char* text : {"10GiB", "10Gi", "10gib", "10gi"}) {
    EXPECT_EQ(parse_bytes(text).value().count, 10 * kGiB) << text;
  }
  for (const char* text : {"10gx", "g", "10 g b", "-1g", "10%"}) {
    EXPECT_FALSE(parse_bytes(text)) << text;
  }
}

}  // namespace
}  // namespace spillway
