#include <gtest/gtest.h>

#include <algorithm>

#include "backends/steady_load.h"
#include "core/units.h"

namespace spillway {
namespace {

constexpr uint64_t kBlock = 64 * 1024;

TEST(LoadPlaces, OfOneStretchLieNearEachOtherAndNoneComesTwice) {
  LoadPlaces places(std::vector<uint64_t>{64 * kMiB}, 1);
  places.begin(kBlock, LoadPlaces::Order::near);
  places.begin_stretch(16);
  std::vector<uint64_t> offsets;
  for (int i = 0; i < 16; ++i) {
    offsets.push_back(places.next().offset);
  }
  std::sort(offsets.begin(), offsets.end());
  EXPECT_EQ(std::adjacent_find(offsets.begin(), offsets.end()), offsets.end());
  EXPECT_EQ(offsets.back() - offsets.front(), 15 * kBlock);
}

}  // namespace
}  // namespace spillway
