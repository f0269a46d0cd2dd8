#include "model/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <vector>

namespace spillway {
namespace {

TEST(ThreadPool, TakesEachPieceOnceAndNeverTwoAsTheSameWorker) {
  for (const unsigned threads : {1U, 2U, 5U}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (const uint32_t pieces : {0U, 1U, 2U, 100U}) {
      std::vector<std::atomic<int>> calls(pieces);
      std::vector<std::atomic<int>> busy(threads);
      pool.run(pieces, [&](uint32_t piece, unsigned worker) {
        EXPECT_EQ(busy.at(worker)++, 0);
        ++calls.at(piece);
        --busy.at(worker);
      });
      for (const std::atomic<int>& count : calls) {
        EXPECT_EQ(count, 1);
      }
    }
  }
}

TEST(ThreadPool, HasTheCallerTakePartAsWorkerZero) {
  ThreadPool pool(2);
  for (int round = 0; round < 100; ++round) {
    pool.run(8, [&, caller = std::this_thread::get_id()](uint32_t, unsigned worker) {
      EXPECT_EQ(worker == 0, std::this_thread::get_id() == caller);
    });
  }
}

// Uses plain memory: the writes of one task are read by the next task on other threads,
// under the thread sanitizer.
TEST(ThreadPool, ShowsEachTaskWhatTheOneBeforeWrote) {
  ThreadPool pool(4);
  std::vector<uint64_t> now(4, 1);
  std::vector<uint64_t> next(4);
  for (int round = 0; round < 3000; ++round) {
    pool.run(4, [&](uint32_t piece, unsigned) { next[piece] = now[(piece + 1) % 4] + (piece == 0 ? 1 : 0); });
    std::swap(now, next);
  }
  // Each round adds 1 to one of the four, and 3000 is a multiple of four.
  EXPECT_EQ(now, std::vector<uint64_t>(4, 1 + 750));
}

TEST(ThreadPool, IsHelpedByWorkersThatWentToSleep) {
  ThreadPool pool(2);
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::atomic<bool> helped = false;
  // The caller's piece ends only when another worker has taken the other piece.
  pool.run(2, [&](uint32_t, unsigned worker) {
    if (worker != 0) {
      helped = true;
    }
    while (!helped) {
      std::this_thread::yield();
    }
  });
  EXPECT_TRUE(helped);
}

TEST(ThreadPool, WaitsForAWorkerThatIsSlow) {
  ThreadPool pool(2);
  std::atomic<bool> begun = false;
  bool done = false;
  pool.run(2, [&](uint32_t, unsigned worker) {
    if (worker == 0) {
      while (!begun) {
        std::this_thread::yield();
      }
      return;
    }
    begun = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    done = true;
  });
  EXPECT_TRUE(done);
}

TEST(ThreadPool, EndsWithoutEverHavingRun) {
  for (int i = 0; i < 20; ++i) {
    ThreadPool pool(3);
  }
}

TEST(Pieces, CoverEveryRowOnceInWholeMultiples) {
  for (const uint32_t rows : {0U, 1U, 7U, 8U, 100U, 768U, 151936U}) {
    for (const uint32_t multiple : {1U, 4U, 16U}) {
      for (const unsigned workers : {1U, 2U, 3U, 7U}) {
        const Pieces pieces(rows, multiple, workers);
        uint32_t next = 0;
        for (uint32_t piece = 0; piece < pieces.count(); ++piece) {
          const RowRange range = pieces.at(piece);
          EXPECT_EQ(range.first, next);
          EXPECT_LT(range.first, range.last);
          EXPECT_TRUE(range.last % multiple == 0 || range.last == rows);
          next = range.last;
        }
        EXPECT_EQ(next, rows);
        EXPECT_LE(pieces.count(), 4 * workers);
        EXPECT_TRUE(workers > 1 || pieces.count() <= 1);
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
