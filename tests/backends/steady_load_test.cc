#include "backends/steady_load.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <thread>
#include <vector>

#include "core/units.h"
#include "tests/support/fakes.h"
#include "tests/support/faulty_drive.h"

namespace spillway {
namespace {

// Takes a millisecond for 256 KiB of a read. Depending on `Way`, it finishes one read after the other or
// serves all in turn, and reports each read when it is done or all of them at once.
class SlowDrive final : public Backend {
 public:
  enum class Way { one_by_one, in_turn, all_told_at_once };

  SlowDrive(Way way, uint32_t depth) : way_(way) {
    caps_.depth = depth;
    caps_.carries_bytes = false;
  }
  const BackendCaps& caps() const override { return caps_; }
  Result<void> attach(std::span<std::byte>) override { return {}; }
  size_t submit(std::span<const IoRequest> requests) override {
    in_flight_.insert(in_flight_.end(), requests.begin(), requests.end());
    return requests.size();
  }
  size_t reap(std::span<IoDone> out, size_t at_least) override {
    size_t count = 0;
    while (!in_flight_.empty() && (count < at_least || way_ == Way::all_told_at_once)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      IoRequest request = in_flight_.front();
      request.range.bytes -= std::min<uint64_t>(request.range.bytes, 256 * kKiB);
      in_flight_.pop_front();
      if (request.range.bytes == 0) {
        out[count++] = {.tag = request.tag};
      } else if (way_ == Way::in_turn) {
        in_flight_.push_back(request);
      } else {
        in_flight_.push_front(request);
      }
    }
    return count;
  }

 private:
  Way way_;
  BackendCaps caps_;
  std::deque<IoRequest> in_flight_;
};

bool seen(SlowDrive::Way way, uint32_t depth = 8, uint64_t file_bytes = 64 * kMiB) {
  SlowDrive drive(way, depth);
  LoadPlaces places(std::vector<uint64_t>{file_bytes}, 1);
  return tells_all_at_once(drive, places, {});
}

TEST(SteadyLoad, SeesWhetherADriveTellsOfEachReadOrOnlyOfAllThatItHas) {
  EXPECT_FALSE(seen(SlowDrive::Way::one_by_one));
  EXPECT_FALSE(seen(SlowDrive::Way::in_turn)) << "large reads that end together are no sign of it";
  EXPECT_TRUE(seen(SlowDrive::Way::all_told_at_once));
}

TEST(SteadyLoad, TakesADriveForOneThatTellsOfEachReadWhereItCannotSee) {
  EXPECT_FALSE(seen(SlowDrive::Way::all_told_at_once, 2));
  EXPECT_FALSE(seen(SlowDrive::Way::all_told_at_once, 8, 100 * kKiB));
}

// Experts are read to whole pages too, and many drives are slower when a read ends within a page.
TEST(SteadyLoad, ReadsToWholePagesWhateverTheBlock) {
  fake::PatternDrive pattern(16, 512);
  fake::FaultyDrive drive(pattern, {}, 1);
  std::vector<std::byte> memory(256 * kKiB);
  ASSERT_TRUE(drive.attach(memory));
  LoadPlaces places(std::vector<uint64_t>{64 * kMiB}, 1);
  const SteadyLoad load = {
      .block = 2560, .depth = 16, .duration = std::chrono::microseconds(1), .stretch = 128};
  EXPECT_EQ(run_batches(drive, places, load, memory).error, 0);
  EXPECT_GT(drive.bits_of_destinations, 0U);
  EXPECT_EQ(drive.bits_of_destinations % 4096, 0U);
}

}  // namespace
}  // namespace spillway
