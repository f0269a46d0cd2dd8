// Worked examples of every device model but `linear` (simulated_backend_test.cc): whole sequences of
// completion times, computed by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "core/rng.h"
#include "sim/devices/page_cache.h"
#include "sim/devices/stripe.h"
#include "sim/devices/table.h"
#include "tests/sim/device.h"
#include "tests/support/make_plugin.h"

namespace spillway {
namespace {

using test::device;

using std::chrono::microseconds;

IoRequest read(uint64_t offset, uint64_t bytes) {
  return {.tag = 0, .range = {0, offset, bytes}};
}

// Two channels of 1 byte/ns that need 50 µs before a unit of 100 kB, a link of 2 bytes/ns, 10 µs of
// controller for each request, 5 µs of latency. All times in µs:
//   A, 200 kB at offset 0, at 0: controller until 10. Unit 0 on channel 0: 10 + 50 + 100 = 160, link until
//     210. Unit 1 on channel 1: 160, but the link is taken until 210: 260. Done 260 + 5.
//   B, 100 kB at offset 200 kB, at 0: controller until 20. Channel 0 is free at 160: 310. Link 360. Done 365.
//   C, 50 kB at offset 100 kB, at 1000: controller until 1010. Channel 1: 1010 + 50 + 50 = 1110; link until
//     1135. Done 1140.
TEST(Queueing, queues_at_the_controller_the_channel_and_the_link) {
  const auto drive = device(
      "queueing:channels=2,unit=100kB,access=50us,channel_bandwidth=1GB/s,link=2GB/"
      "s,overhead=10us,latency=5us");
  EXPECT_EQ(drive->finish(read(0, 200'000), microseconds(0)), microseconds(265));
  EXPECT_EQ(drive->finish(read(200'000, 100'000), microseconds(0)), microseconds(365));
  EXPECT_EQ(drive->finish(read(100'000, 50'000), microseconds(1000)), microseconds(1140));
}

// 1 byte/ns in the long run, a burst of at most 100 µs, a link of 10 bytes/ns and 5 µs of
// latency. All times in µs:
//   A, 100 kB at 0: the bucket is full and gives all of it. Link 0 + 10. Done 15.
//   B, 50 kB at 0: the bucket has 50 at 50. Link until 55. Done 60.
//   C, 50 kB at 150: 100 came in since 50, when the bucket was empty. Link until 155. Done 160.
//   D, 100 kB at 150: 50 are left, 100 are in the bucket at 200. Link until 210. Done 215.
//   E, 250 kB at 1000, more than the bucket holds: 100 of burst and 150 that come until 1150. Link until
//     1175. Done 1180.
TEST(Bucket, gives_what_it_saved_up_at_once_and_then_what_comes_in) {
  const auto drive = device("bucket:bandwidth=1GB/s,burst=100us,link=10GB/s,latency=5us");
  EXPECT_EQ(drive->finish(read(0, 100'000), microseconds(0)), microseconds(15));
  EXPECT_EQ(drive->finish(read(0, 50'000), microseconds(0)), microseconds(60));
  EXPECT_EQ(drive->finish(read(0, 50'000), microseconds(150)), microseconds(160));
  EXPECT_EQ(drive->finish(read(0, 100'000), microseconds(150)), microseconds(215));
  EXPECT_EQ(drive->finish(read(0, 250'000), microseconds(1000)), microseconds(1180));
}

TEST(Bucket, refuses_rates_and_times_that_nothing_has) {
  for (const char* text : {"bucket:bandwidth=1kB/s", "bucket:bandwidth=4GB/s,link=3GB/s",
                           "bucket:burst=4000s", "bucket:latency=4000s"}) {
    const auto made = make_plugin(device_models(), text, DeviceEnv{});
    ASSERT_FALSE(made.has_value()) << text;
    EXPECT_EQ(made.error().kind, ErrorKind::usage);
  }
}

// 1024 small reads at once on 16 channels: 1024 / 16 = 64 of them on each. The last read is done after 64
// accesses of 40 µs, whatever the order; link and controller take almost no time.
TEST(Queueing, serves_as_many_small_reads_at_a_time_as_it_has_channels) {
  const auto drive = device(
      "queueing:channels=16,unit=4096,access=40us,channel_bandwidth=1000GB/s,link=1000GB/"
      "s,overhead=0ns,latency="
      "0ns");
  std::map<int64_t, int> done;
  for (uint64_t i = 0; i < 1024; ++i) {
    ++done[drive->finish(read(i * 4096, 4096), Nanoseconds(0)).count() / 40'000];
  }
  EXPECT_EQ(done.size(), 64U);
  for (const auto& [round, reads] : done) {
    EXPECT_EQ(reads, 16) << round;
  }
}

TEST(Queueing, holds_up_the_share_of_requests_it_was_told_to) {
  const std::string plain = "queueing:channels=1,access=1us,overhead=0ns,latency=0ns";
  const auto smooth = device(plain);
  const auto jerky = device(plain + ",tail_share=0.1,tail_time=1ms");
  int held_up = 0;
  for (int i = 0; i < 10'000; ++i) {
    const Nanoseconds now = std::chrono::seconds(i);
    const Nanoseconds extra = jerky->finish(read(0, 4096), now) - smooth->finish(read(0, 4096), now);
    EXPECT_TRUE(extra == Nanoseconds(0) || extra == std::chrono::milliseconds(1)) << extra.count();
    held_up += extra.count() > 0 ? 1 : 0;
  }
  EXPECT_NEAR(held_up, 1000, 100);  // three standard deviations are 90
}

TEST(Queueing, refuses_what_no_drive_has) {
  for (const char* text : {"queueing:channels=0", "queueing:unit=100", "queueing:link=1kB/s",
                           "queueing:tail_share=1.5", "queueing:access=4000s"}) {
    const auto made = make_plugin(device_models(), text, DeviceEnv{});
    ASSERT_FALSE(made.has_value()) << text;
    EXPECT_EQ(made.error().kind, ErrorKind::usage) << made.error().message;
  }
}

LoadPoint point(uint64_t block, uint32_t depth, double latency_us) {
  LoadPoint made;
  made.block_bytes = block;
  made.depth = depth;
  made.mean_latency_ns = latency_us * 1000;
  made.latency_ns.fill(latency_us * 1000);
  return made;
}

// 4 kB takes 100 µs, alone and with 8 in flight. 1 MB takes 500 µs alone; with 8 in flight, 8 times that.
AccessMethod measured() {
  return {"by hand",
          "uring",
          64,
          1,
          {point(4096, 1, 100), point(4096, 8, 100), point(1 << 20, 1, 500), point(1 << 20, 8, 4000)},
          {}};
}

TableDevice table(const AccessMethod& method, bool tail = false) {
  auto made = TableDevice::make(method, {.tail = tail}, 1);
  EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().message);
  return std::move(*made);
}

TEST(Table, gives_each_request_the_latency_that_was_measured_at_its_load) {
  TableDevice drive = table(measured());
  // Four reads at once; the n-th meets a load of n, and 1 MB takes 500 µs × n between the depths.
  for (int n = 1; n <= 4; ++n) {
    EXPECT_NEAR(double(drive.finish(read(0, 1 << 20), microseconds(0)).count()), n * 500e3, 2);
  }
  // At 1100 µs two reads are left (1500 and 2000 µs), so the next one is the third in flight.
  EXPECT_NEAR(double(drive.finish(read(0, 1 << 20), microseconds(1100)).count()), 1100e3 + 1500e3, 2);
  // Later the drive is idle again.
  EXPECT_NEAR(double(drive.finish(read(0, 1 << 20), microseconds(9000)).count()), 9500e3, 2);
}

TEST(Table, lets_small_requests_overlap_where_they_were_seen_to) {
  TableDevice drive = table(measured());
  for (int n = 1; n <= 8; ++n) {
    EXPECT_NEAR(double(drive.finish(read(0, 4096), microseconds(0)).count()), 100e3, 2);
  }
}

// A small request behind large ones: the end of an expert that reaches a few kB into a drive's next chunk.
TEST(Table, lets_a_small_request_wait_behind_large_ones_and_no_longer) {
  TableDevice drive = table(measured());
  for (int n = 1; n <= 4; ++n) {
    drive.finish(read(0, 1 << 20), microseconds(0));
  }
  // It is the fifth of five reads, whose mean size is just below 840 kB: its latency is between those of the
  // 4th and 5th large read.
  const double finish = double(drive.finish(read(0, 4096), microseconds(0)).count());
  EXPECT_GT(finish, 4 * 400e3);
  EXPECT_LT(finish, 5 * 500e3);
}

TEST(Table, interpolates_the_logarithm_of_the_latency) {
  const TableDevice drive = table(measured());
  // 64 KiB is half way between 4 KiB and 1 MiB in the logarithm: sqrt(100 × 500).
  EXPECT_NEAR(drive.latency_ns(65536, 1), std::sqrt(100.0 * 500.0) * 1000, 1);
  // Half way in both size and depth: sqrt(sqrt(100 × 100) × sqrt(500 × 4000)).
  EXPECT_NEAR(drive.latency_ns(65536, std::sqrt(8.0)), 1000 * std::sqrt(100.0 * std::sqrt(500.0 * 4000.0)),
              1);
}

TEST(Table, takes_the_drive_for_busy_beyond_what_was_measured) {
  const TableDevice drive = table(measured());
  EXPECT_NEAR(drive.latency_ns(4 << 20, 1), 4 * 500e3, 1);
  EXPECT_NEAR(drive.latency_ns(1 << 20, 32), 4 * 4000e3, 1);
  EXPECT_NEAR(drive.latency_ns(512, 1), 100e3, 1);
}

TEST(Table, draws_speeds_whose_mean_is_what_was_measured) {
  AccessMethod method = measured();
  for (LoadPoint& one : method.random) {
    const double median = one.mean_latency_ns * 0.8;
    one.latency_ns = {median * 0.9, median * 0.95, median,     median * 1.5,
                      median * 2,   median * 3,    median * 5, median * 9};
  }
  TableDevice drive = table(method, true);
  double sum = 0;
  constexpr int kReads = 20'000;
  std::map<int64_t, int> distinct;
  for (int i = 0; i < kReads; ++i) {
    const Nanoseconds now = std::chrono::seconds(i);
    const int64_t latency = Nanoseconds(drive.finish(read(0, 1 << 20), now) - now).count();
    sum += double(latency);
    ++distinct[latency];
  }
  EXPECT_NEAR(sum / kReads, 500e3, 10e3);
  EXPECT_GT(distinct.size(), 1000U);
}

// Alone, a read always takes 500 µs. As the last of eight it varies as measured for eight.
TEST(Table, varies_each_request_of_a_batch_as_was_measured_at_its_own_load) {
  AccessMethod method = measured();
  LoadPoint& eight = method.random[3];
  const double mean = eight.mean_latency_ns;
  eight.latency_ns = {mean * 0.5, mean * 0.6, mean, mean * 1.5, mean * 2, mean * 3, mean * 5, mean * 9};
  TableDevice drive = table(method, true);
  double sum = 0;
  constexpr int kBatches = 20'000;
  std::map<int64_t, int> distinct;
  for (int i = 0; i < kBatches; ++i) {
    const Nanoseconds now = std::chrono::seconds(i);
    for (int n = 1; n <= 8; ++n) {
      const int64_t latency = Nanoseconds(drive.finish(read(0, 1 << 20), now) - now).count();
      if (n == 1) {
        ASSERT_NEAR(double(latency), 500e3, 2);
      } else if (n == 8) {
        sum += double(latency);
        ++distinct[latency];
      }
    }
  }
  EXPECT_NEAR(sum / kBatches, 4000e3, 80e3);
  EXPECT_GT(distinct.size(), 1000U);
}

TEST(Table, refuses_points_that_are_no_grid) {
  AccessMethod hole = measured();
  hole.random.pop_back();
  AccessMethod disorder = measured();
  std::swap(disorder.random[0], disorder.random[2]);
  AccessMethod empty = measured();
  empty.random.clear();
  AccessMethod zero = measured();
  zero.random[1].mean_latency_ns = 0;
  AccessMethod nan = measured();
  nan.random[1].mean_latency_ns = std::nan("");
  for (const AccessMethod& method : {hole, disorder, empty, zero, nan}) {
    EXPECT_FALSE(TableDevice::make(method, {}, 1).has_value());
  }
}

// Records its requests; takes 1 ns a byte, one request after another.
struct Notes final : DeviceModel {
  explicit Notes(std::vector<ByteRange>& ranges) : seen(ranges) {}
  Nanoseconds finish(const IoRequest& request, Nanoseconds now) override {
    seen.push_back(request.range);
    free = std::max(free, now) + Nanoseconds(request.range.bytes);
    return free;
  }
  std::vector<ByteRange>& seen;
  Nanoseconds free{0};
};

// Three drives, chunks of 100. A read of 250 to 820 covers chunks 2 (half), 3, 4, 5, 6, 7 and 8 (20 bytes):
//   drive 2 holds chunks 2, 5, 8 → 50 + 100 + 20 bytes from its own offset 50
//   drive 0 holds chunks 3, 6    → 200 bytes from its own offset 100
//   drive 1 holds chunks 4, 7    → 200 bytes from its own offset 100
// A second one of 0 to 30 waits on drive 0 behind the 200 bytes.
TEST(Stripe, gives_each_drive_its_chunks_as_one_read_and_waits_for_the_last) {
  std::vector<std::vector<ByteRange>> seen(3);
  std::vector<std::unique_ptr<DeviceModel>> drives;
  for (auto& one : seen) {
    drives.push_back(std::make_unique<Notes>(one));
  }
  StripeDevice stripe(std::move(drives), 100);
  EXPECT_EQ(stripe.finish(read(250, 570), Nanoseconds(0)), Nanoseconds(200));
  EXPECT_EQ(stripe.finish(read(0, 30), Nanoseconds(0)), Nanoseconds(230));
  ASSERT_EQ(seen[0].size(), 2U);
  ASSERT_EQ(seen[1].size(), 1U);
  ASSERT_EQ(seen[2].size(), 1U);
  EXPECT_EQ(seen[2][0].offset, 50U);
  EXPECT_EQ(seen[2][0].bytes, 170U);
  EXPECT_EQ(seen[0][0].offset, 100U);
  EXPECT_EQ(seen[0][0].bytes, 200U);
  EXPECT_EQ(seen[1][0].offset, 100U);
  EXPECT_EQ(seen[1][0].bytes, 200U);
}

TEST(Stripe, loses_and_repeats_no_byte_of_any_read) {
  Rng rng(7);
  for (int i = 0; i < 2000; ++i) {
    const uint64_t count = 1 + rng.below(5);
    const uint64_t chunk = 1 + rng.below(40);
    const uint64_t offset = rng.below(500);
    const uint64_t bytes = 1 + rng.below(300);
    std::vector<std::vector<ByteRange>> seen(count);
    std::vector<std::unique_ptr<DeviceModel>> drives;
    for (auto& one : seen) {
      drives.push_back(std::make_unique<Notes>(one));
    }
    StripeDevice(std::move(drives), chunk).finish(read(offset, bytes), Nanoseconds(0));
    std::map<uint64_t, int> bytes_on_drive;  // drive × 10000 + own offset
    for (uint64_t at = offset; at < offset + bytes; ++at) {
      ++bytes_on_drive[at / chunk % count * 10'000 + at / chunk / count * chunk + at % chunk];
    }
    for (uint64_t drive = 0; drive < count; ++drive) {
      for (const ByteRange& range : seen[drive]) {
        for (uint64_t at = range.offset; at < range.offset + range.bytes; ++at) {
          --bytes_on_drive[drive * 10'000 + at];
        }
      }
    }
    for (const auto& [place, left] : bytes_on_drive) {
      ASSERT_EQ(left, 0) << "drives " << count << " chunk " << chunk << " read " << offset << "+" << bytes
                         << " at " << place;
    }
  }
}

// Units of 100 bytes, room for three. The drive takes 1 ns a byte; memory takes no time and records reads.
//   0-150: units 0 and 1 are missing, 200 bytes: done at 200. In memory: 0 1.
//   100-300 at 1000: unit 1 is in memory, unit 2 is read: 1100. In memory: 0 1 2.
//   300-400 at 2000: unit 3 is read, unit 0 is evicted, which costs 7: 2107. In memory: 1 2 3.
//   100-200 at 3000: in memory: 3000.
//   0-100 at 4000: unit 0 is missing, 2 is evicted: 4107.
TEST(PageCache, keeps_what_was_used_last_and_reads_the_rest) {
  std::vector<ByteRange> cold_reads;
  std::vector<ByteRange> warm_reads;
  struct Free final : DeviceModel {
    explicit Free(std::vector<ByteRange>& ranges) : seen(ranges) {}
    Nanoseconds finish(const IoRequest& request, Nanoseconds now) override {
      seen.push_back(request.range);
      return now;
    }
    std::vector<ByteRange>& seen;
  };
  PageCacheDevice device(std::make_unique<Notes>(cold_reads), std::make_unique<Free>(warm_reads),
                         {.capacity = 300, .unit = 100, .reclaim = Nanoseconds(7)});
  EXPECT_EQ(device.finish(read(0, 150), Nanoseconds(0)), Nanoseconds(200));
  EXPECT_EQ(device.finish(read(100, 200), Nanoseconds(1000)), Nanoseconds(1100));
  EXPECT_EQ(device.finish(read(300, 100), Nanoseconds(2000)), Nanoseconds(2107));
  EXPECT_EQ(device.finish(read(100, 100), Nanoseconds(3000)), Nanoseconds(3000));
  EXPECT_EQ(device.finish(read(0, 100), Nanoseconds(4000)), Nanoseconds(4107));
  ASSERT_EQ(warm_reads.size(), 2U);
  EXPECT_EQ(warm_reads[0].bytes, 100U);
  EXPECT_EQ(warm_reads[1].bytes, 100U);
  EXPECT_EQ(device.bytes_behind_page_cache(), 500U);
}

TEST(PageCache, without_room_reads_everything_and_with_read_ahead_more) {
  std::vector<ByteRange> cold_reads;
  std::vector<ByteRange> warm_reads;
  PageCacheDevice none(std::make_unique<Notes>(cold_reads), std::make_unique<Notes>(warm_reads),
                       {.unit = 100});
  none.finish(read(0, 100), Nanoseconds(0));
  none.finish(read(0, 100), Nanoseconds(0));
  EXPECT_EQ(none.bytes_behind_page_cache(), 200U);
  PageCacheDevice eager(std::make_unique<Notes>(cold_reads), std::make_unique<Notes>(warm_reads),
                        {.capacity = 1000, .unit = 100, .read_ahead = 250});
  eager.finish(read(0, 100), Nanoseconds(0));
  EXPECT_EQ(eager.bytes_behind_page_cache(), 400U);
  eager.finish(read(300, 100), Nanoseconds(0));
  EXPECT_EQ(eager.bytes_behind_page_cache(), 400U);
}

// Memory that takes no time to read.
struct AtOnce final : DeviceModel {
  Nanoseconds finish(const IoRequest&, Nanoseconds now) override { return now; }
};

// Units of 200 bytes. The read of the first unit brings the second along; both arrive at 400. No reader gets
// any byte of them before that.
TEST(PageCache, has_read_ahead_when_it_arrives_and_not_before) {
  std::vector<ByteRange> cold_reads;
  PageCacheDevice device(std::make_unique<Notes>(cold_reads), std::make_unique<AtOnce>(),
                         {.capacity = 2000, .unit = 200, .read_ahead = 200});
  EXPECT_EQ(device.finish(read(0, 200), Nanoseconds(0)), Nanoseconds(400));
  EXPECT_EQ(device.finish(read(200, 100), Nanoseconds(10)), Nanoseconds(400));
  EXPECT_EQ(device.finish(read(300, 100), Nanoseconds(20)), Nanoseconds(400));
  EXPECT_EQ(device.finish(read(300, 100), Nanoseconds(500)), Nanoseconds(500));
}

// Units of 100 bytes, two of them read ahead. Unit 0 brings 1 and 2; 5 brings 6 and 7; 3 brings 4 but not 5,
// which is in memory: 300 + 300 + 200 bytes.
TEST(PageCache, reads_ahead_up_to_what_is_there) {
  std::vector<ByteRange> cold_reads;
  PageCacheDevice device(std::make_unique<Notes>(cold_reads), std::make_unique<AtOnce>(),
                         {.capacity = 2000, .unit = 100, .read_ahead = 200});
  EXPECT_EQ(device.finish(read(0, 100), Nanoseconds(0)), Nanoseconds(300));
  EXPECT_EQ(device.finish(read(500, 100), Nanoseconds(1000)), Nanoseconds(1300));
  EXPECT_EQ(device.finish(read(300, 100), Nanoseconds(2000)), Nanoseconds(2200));
  EXPECT_EQ(device.bytes_behind_page_cache(), 800U);
  EXPECT_EQ(device.finish(read(500, 100), Nanoseconds(2100)), Nanoseconds(2100)) << "came long before";
}

// Compares with a list of units in order of use, on random reads.
TEST(PageCache, decides_as_a_list_in_order_of_use_does) {
  Rng rng(11);
  std::vector<ByteRange> cold_reads;
  std::vector<ByteRange> warm_reads;
  PageCacheDevice device(std::make_unique<Notes>(cold_reads), std::make_unique<Notes>(warm_reads),
                         {.capacity = 20, .unit = 1});
  std::vector<uint64_t> by_use;
  uint64_t missed = 0;
  for (int i = 0; i < 5000; ++i) {
    const uint64_t unit = rng.below(rng.below(60) + 1);
    device.finish(read(unit, 1), Nanoseconds(i));
    missed += std::erase(by_use, unit) == 0 ? 1 : 0;
    by_use.push_back(unit);
    if (by_use.size() > 20) {
      by_use.erase(by_use.begin());
    }
    ASSERT_EQ(device.bytes_behind_page_cache(), missed) << i;
  }
  EXPECT_GT(missed, 100U);
}

}  // namespace
}  // namespace spillway
