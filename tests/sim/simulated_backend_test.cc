#include "sim/simulated_backend.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "core/rng.h"
#include "sim/list.h"
#include "sim/profile.h"
#include "tests/support/make_plugin.h"

namespace spillway {
namespace {

using std::chrono::microseconds;

// Finishes each request after as many nanoseconds as it has bytes.
struct BytesAreNanoseconds final : DeviceModel {
  Nanoseconds finish(const IoRequest& request, Nanoseconds now) override {
    return now + Nanoseconds(request.range.bytes);
  }
};

IoRequest request(uint64_t tag, uint64_t bytes) {
  return {.tag = tag, .range = {0, 0, bytes}};
}

std::unique_ptr<DeviceModel> device_or_table(const std::string& text) {
  // The measurement of a drive of 100 µs and 2 GB/s, for the table model.
  static const AccessMethod measured = {"by hand",
                                        "uring",
                                        8,
                                        1,
                                        {{.block_bytes = 4096, .depth = 1, .mean_latency_ns = 102'000},
                                         {.block_bytes = 4096, .depth = 8, .mean_latency_ns = 120'000},
                                         {.block_bytes = 1 << 20, .depth = 1, .mean_latency_ns = 620'000},
                                         {.block_bytes = 1 << 20, .depth = 8, .mean_latency_ns = 4'200'000}},
                                        {}};
  auto made = make_plugin(device_models(), text, DeviceEnv{1, &measured});
  EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().message);
  return std::move(*made);
}

// Returns the tags of the completions of one call of reap().
std::vector<uint64_t> reap(Backend& backend, size_t room, size_t at_least) {
  std::vector<IoDone> done(room);
  done.resize(backend.reap(done, at_least));
  std::vector<uint64_t> tags;
  for (const IoDone& one : done) {
    EXPECT_EQ(one.error, 0);
    EXPECT_EQ(one.data, nullptr);
    tags.push_back(one.tag);
  }
  return tags;
}

using Tags = std::vector<uint64_t>;

class SimulatedBackendTest : public testing::Test {
 protected:
  VirtualClock clock;
  SimulatedBackend backend{std::make_unique<BytesAreNanoseconds>(), clock, {.depth = 4}};
};

TEST_F(SimulatedBackendTest, completes_in_the_order_of_finishing_and_advances_the_clock_only_to_wait) {
  EXPECT_EQ(backend.submit(std::array{request(1, 30), request(2, 10), request(3, 20)}), 3U);
  EXPECT_EQ(reap(backend, 8, 0), Tags{});
  EXPECT_EQ(clock.now(), Nanoseconds(0));
  EXPECT_EQ(reap(backend, 8, 1), Tags{2});
  EXPECT_EQ(clock.now(), Nanoseconds(10));
  clock.wait_until(Nanoseconds(25));
  EXPECT_EQ(clock.now(), Nanoseconds(20));  // request 3 may be reaped here
  EXPECT_EQ(reap(backend, 8, 0), Tags{3});
  clock.wait_until(Nanoseconds(25));
  EXPECT_EQ(clock.now(), Nanoseconds(25));
  EXPECT_EQ(reap(backend, 8, 1), Tags{1});
  EXPECT_EQ(clock.now(), Nanoseconds(30));
}

TEST_F(SimulatedBackendTest, hands_out_what_is_due_at_one_instant_in_the_order_of_submission) {
  EXPECT_EQ(backend.submit(std::array{request(9, 10), request(3, 10), request(7, 10), request(5, 10)}), 4U);
  EXPECT_EQ(reap(backend, 3, 1), (Tags{9, 3, 7}));
  EXPECT_EQ(reap(backend, 3, 1), Tags{5});
  EXPECT_EQ(clock.now(), Nanoseconds(10));
}

TEST_F(SimulatedBackendTest, tells_of_nothing_before_the_drive_has_nothing_left_where_it_is_such_a_drive) {
  SimulatedBackend late(std::make_unique<BytesAreNanoseconds>(), clock,
                        {.depth = 8, .tells_all_at_once = true});
  late.submit(std::array{request(1, 30), request(2, 10), request(3, 20)});
  clock.wait_until(Nanoseconds(25));
  EXPECT_EQ(clock.now(), Nanoseconds(25)) << "nothing to see before";
  EXPECT_EQ(reap(late, 8, 0), Tags{});
  late.submit(std::array{request(4, 20)});
  EXPECT_EQ(reap(late, 8, 1), (Tags{2, 3, 1, 4}));
  EXPECT_EQ(clock.now(), Nanoseconds(45));
  late.submit(std::array{request(5, 10)});
  clock.wait_until(Nanoseconds(60));
  late.submit(std::array{request(6, 10)});
  EXPECT_EQ(reap(late, 8, 0), Tags{5}) << "was due before there was more to do";
  EXPECT_EQ(reap(late, 8, 1), Tags{6});
}

TEST_F(SimulatedBackendTest, takes_a_prefix_when_its_depth_is_reached) {
  EXPECT_EQ(backend.caps().depth, 4U);
  const std::array six = {request(1, 10), request(2, 20), request(3, 30),
                          request(4, 40), request(5, 50), request(6, 60)};
  EXPECT_EQ(backend.submit(six), 4U);
  EXPECT_EQ(backend.submit(std::span(six).subspan(4)), 0U);
  EXPECT_EQ(reap(backend, 8, 1), Tags{1});
  EXPECT_EQ(backend.submit(std::span(six).subspan(4)), 1U);
}

TEST_F(SimulatedBackendTest, says_that_it_carries_no_bytes) {
  EXPECT_FALSE(backend.caps().carries_bytes);
}

TEST_F(SimulatedBackendTest, shares_the_clock_with_another_drive) {
  SimulatedBackend other(std::make_unique<BytesAreNanoseconds>(), clock, {});
  backend.submit(std::array{request(1, 100)});
  other.submit(std::array{request(2, 40)});
  clock.wait_until(Nanoseconds(1000));
  EXPECT_EQ(clock.now(), Nanoseconds(40));
  EXPECT_EQ(reap(other, 8, 1), Tags{2});
  clock.wait_until(Nanoseconds(1000));
  EXPECT_EQ(clock.now(), Nanoseconds(100));
}

// A drive of 1 GB/s, 1 µs a kilobyte, and 100 µs of latency. Worked by hand:
//   three requests of 1 MB at 0: the link carries them until 1000, 2000 and 3000 µs, each arrives 100 µs
//   later; one of 500 kB at 5000 finds the link free: 5500 + 100; one of 4 kB at 5200 waits for it until
//   5500: 5504 + 100; one of 1 B at 6000: 6000.001 + 100.
TEST(Linear, carries_one_request_after_another_and_overlaps_their_latencies) {
  const auto linear = device_or_table("linear:bandwidth=1GB/s,latency=100us");
  EXPECT_EQ(linear->finish(request(1, 1'000'000), microseconds(0)), microseconds(1100));
  EXPECT_EQ(linear->finish(request(2, 1'000'000), microseconds(0)), microseconds(2100));
  EXPECT_EQ(linear->finish(request(3, 1'000'000), microseconds(0)), microseconds(3100));
  EXPECT_EQ(linear->finish(request(4, 500'000), microseconds(5000)), microseconds(5600));
  EXPECT_EQ(linear->finish(request(5, 4'000), microseconds(5200)), microseconds(5604));
  EXPECT_EQ(linear->finish(request(6, 1), microseconds(6000)), microseconds(6100) + Nanoseconds(1));
}

TEST(Linear, refuses_a_bandwidth_and_a_latency_that_no_drive_has) {
  for (const char* text : {"linear:bandwidth=0B/s", "linear:bandwidth=1kB/s", "linear:latency=4000s",
                           "linear:bandwidth=3GB", "linear:width=1"}) {
    const auto made = make_plugin(device_models(), text, DeviceEnv{});
    ASSERT_FALSE(made.has_value()) << text;
    EXPECT_EQ(made.error().kind, ErrorKind::usage);
  }
}

TEST(Linear, reports_its_options_in_full) {
  EXPECT_EQ(device_models().known("linear:latency=20us").resolved,
            "linear:bandwidth=3600MB/s,latency=20000ns");
}

// Properties that every listed device model has under the backend.
class EveryDeviceModel : public testing::TestWithParam<std::string> {};

std::vector<std::string> names() {
  std::vector<std::string> names;
  for (const DevicePlugin& plugin : device_models()) {
    names.push_back(plugin.name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Listed, EveryDeviceModel, testing::ValuesIn(names()));

TEST_P(EveryDeviceModel, completes_each_request_once_and_never_before_it_was_submitted) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Rng rng(seed);
    VirtualClock clock;
    SimulatedBackend backend(device_or_table(GetParam()), clock, {.depth = uint32_t(1 + rng.below(40))});
    std::vector<Nanoseconds> submitted;
    std::multiset<uint64_t> completed;
    while (completed.size() < 1000) {
      std::vector<IoRequest> batch;
      for (uint64_t tag = submitted.size(); tag < 1000 && batch.size() < rng.below(10); ++tag) {
        batch.push_back(request(tag, 1 + rng.below(4'000'000)));
      }
      submitted.resize(submitted.size() + backend.submit(batch), clock.now());
      if (submitted.size() == completed.size()) {
        continue;
      }
      const Nanoseconds before = clock.now();
      if (rng.below(2) == 0) {
        clock.wait_until(before + microseconds(rng.below(500)));
      }
      const size_t at_least = rng.below(2);
      const Tags tags = reap(backend, 1 + rng.below(8), at_least);
      EXPECT_GE(tags.size(), at_least);
      EXPECT_GE(clock.now(), before);
      for (const uint64_t tag : tags) {
        ASSERT_LT(tag, submitted.size());
        EXPECT_GT(clock.now(), submitted[tag]);
        completed.insert(tag);
      }
    }
    EXPECT_EQ(std::set(completed.begin(), completed.end()).size(), 1000U);
    EXPECT_EQ(reap(backend, 8, 0), Tags{});
  }
}

}  // namespace
}  // namespace spillway
