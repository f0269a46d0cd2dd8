#include "backends/steady_load.h"

#include <gtest/gtest.h>

#include <thread>

#include "core/units.h"

namespace spillway {
namespace {

constexpr uint64_t kBlock = 64 * kKiB;

// Takes a millisecond for each read, one after the other, and tells of each, or only of all that it has.
class SlowDrive final : public Backend {
 public:
  explicit SlowDrive(bool tells_all_at_once) : tells_all_at_once_(tells_all_at_once) {
    caps_.depth = 8;
    caps_.carries_bytes = false;
  }
  const BackendCaps& caps() const override { return caps_; }
  Result<void> attach(std::span<std::byte>) override { return {}; }
  size_t submit(std::span<const IoRequest> requests) override {
    in_flight_ += requests.size();
    return requests.size();
  }
  size_t reap(std::span<IoDone> out, size_t at_least) override {
    const size_t count = tells_all_at_once_ ? in_flight_ : at_least;
    std::this_thread::sleep_for(count * std::chrono::milliseconds(1));
    in_flight_ -= count;
    std::fill_n(out.begin(), count, IoDone{});
    return count;
  }

 private:
  bool tells_all_at_once_;
  BackendCaps caps_;
  size_t in_flight_ = 0;
};

double told_share(bool tells_all_at_once) {
  SlowDrive drive(tells_all_at_once);
  LoadPlaces places(std::vector<uint64_t>{64 * kMiB}, 1);
  return first_told_share(drive, places, {.block = kBlock, .depth = 8}, {});
}

TEST(SteadyLoad, SeesWhetherADriveTellsOfEachReadOrOnlyOfAllThatItHas) {
  EXPECT_LT(told_share(false), 0.5);
  EXPECT_GT(told_share(true), 0.9);
}

}  // namespace
}  // namespace spillway
