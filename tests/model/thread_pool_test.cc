#include "runtime/model/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <vector>

namespace spillway {
namespace {

TEST(ThreadPool, CallsTheTaskOncePerWorkerAndTheCallerIsWorkerZero) {
  for (const unsigned threads : {1U, 2U, 5U}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    std::vector<std::atomic<int>> calls(threads);
    std::thread::id zero;
    pool.run([&](unsigned worker, unsigned workers) {
      EXPECT_EQ(workers, threads);
      ++calls.at(worker);
      if (worker == 0) {
        zero = std::this_thread::get_id();
      }
    });
    EXPECT_EQ(zero, std::this_thread::get_id());
    for (const std::atomic<int>& count : calls) {
      EXPECT_EQ(count, 1);
    }
  }
}

// Plain memory: what one task wrote the next one reads on other threads, and the thread sanitizer looks on.
TEST(ThreadPool, ShowsEachTaskWhatTheOneBeforeWrote) {
  ThreadPool pool(4);
  std::vector<uint64_t> now(4, 1);
  std::vector<uint64_t> next(4);
  for (int round = 0; round < 3000; ++round) {
    pool.run(
        [&](unsigned worker, unsigned) { next[worker] = now[(worker + 1) % 4] + (worker == 0 ? 1 : 0); });
    std::swap(now, next);
  }
  // Each round adds one to one of the four, and 3000 is a multiple of four.
  EXPECT_EQ(now, std::vector<uint64_t>(4, 1 + 750));
}

TEST(ThreadPool, WakesWorkersThatWentToSleep) {
  ThreadPool pool(3);
  std::atomic<int> calls = 0;
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    pool.run([&](unsigned, unsigned) { ++calls; });
  }
  EXPECT_EQ(calls, 15);
}

TEST(ThreadPool, WaitsForAWorkerThatIsSlow) {
  ThreadPool pool(2);
  bool done = false;
  pool.run([&](unsigned worker, unsigned) {
    if (worker == 1) {
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      done = true;
    }
  });
  EXPECT_TRUE(done);
}

TEST(ThreadPool, EndsWithoutEverHavingRun) {
  for (int i = 0; i < 20; ++i) {
    ThreadPool pool(3);
  }
}

TEST(ThreadPool, SharesEveryRowOnceInWholeMultiples) {
  for (const uint32_t rows : {0U, 1U, 7U, 8U, 100U, 768U, 151936U}) {
    for (const uint32_t multiple : {1U, 4U, 16U}) {
      for (const unsigned workers : {1U, 2U, 3U, 7U}) {
        uint32_t next = 0;
        for (unsigned worker = 0; worker < workers; ++worker) {
          const RowRange share = share_of(rows, multiple, worker, workers);
          EXPECT_EQ(share.first, next);
          EXPECT_LE(share.first, share.last);
          EXPECT_TRUE(share.last % multiple == 0 || share.last == rows);
          EXPECT_LE(share.last - share.first, rows / workers + multiple);
          next = share.last;
        }
        EXPECT_EQ(next, rows);
      }
    }
  }
}

TEST(ThreadPoolDeathTest, RefusesToHaveNoWorkers) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(ThreadPool(0), "precondition");
}

}  // namespace
}  // namespace spillway
