#include "runtime/prefetch_pace.h"

#include <gtest/gtest.h>

namespace spillway {
namespace {

using std::chrono::microseconds;

class Pace : public testing::Test {
 protected:
  uint32_t room(Nanoseconds idle) { return pace_.pieces_that_fit(now_, now_ + idle); }

  // Hands a drive that takes `piece` for each, one by one, as many pieces as fit into `idle`, and looks when
  // that is over; what is left then delays a demand. Returns how many there were.
  uint32_t live_window(Nanoseconds idle, Nanoseconds piece) {
    const uint32_t pieces = room(idle);
    for (uint32_t i = 0; i < pieces; ++i) {
      pace_.submitted(now_);
    }
    now_ += idle;
    const auto done = uint32_t(std::min<int64_t>(pieces, idle / piece));
    for (uint32_t i = 0; i < done; ++i) {
      pace_.complete();
    }
    pace_.looked(now_, true);
    pace_.disturbed(now_, done < pieces);
    for (uint32_t i = done; i < pieces; ++i) {
      pace_.complete();
    }
    now_ += microseconds(5000);
    pace_.looked(now_, false);
    return pieces;
  }

  PrefetchPace pace_{16};
  Nanoseconds now_{microseconds(1)};
};

TEST_F(Pace, BeginsWithOnePieceToFindOut) {
  EXPECT_EQ(room(microseconds(100)), 1U);
  EXPECT_EQ(room(microseconds(0)), 0U);
  EXPECT_EQ(room(Nanoseconds::min() + now_), 0U);
}

TEST_F(Pace, FindsHowManyFitThoughNobodyLooksMeanwhile) {
  uint32_t late = 0;
  uint32_t pieces = 0;
  for (int i = 0; i < 2000; ++i) {
    const uint32_t now = live_window(microseconds(2000), microseconds(250));
    if (i >= 1000) {
      pieces += now;
      late += now > 8 ? now - 8 : 0;
    }
  }
  EXPECT_GT(pieces, 6500U) << "8 fit into each of 1000 windows";
  EXPECT_LT(late, 1000U);
}

// As in a replay that waits for its compute: somebody looks whenever a piece is complete. The drive reads one
// after the other, and tells of each 80 us later.
TEST_F(Pace, KeepsADriveBusyThatIsWatched) {
  const Nanoseconds piece = microseconds(150);
  const Nanoseconds way = microseconds(80);
  uint64_t pieces = 0;
  for (int window = 0; window < 50; ++window) {
    const Nanoseconds end = now_ + microseconds(1000);
    std::vector<Nanoseconds> due;
    Nanoseconds free_at = now_;
    while (now_ < end) {
      while (due.size() < pace_.pieces_that_fit(now_, end)) {
        free_at = std::max(free_at, now_) + piece;
        due.push_back(free_at + way);
        pace_.submitted(now_);
        pieces += window < 25 ? 0 : 1;
      }
      now_ = due.empty() ? end : due.front();
      if (!due.empty()) {
        EXPECT_LE(due.front(), end + piece) << "a demand waits for a piece at most";
        due.erase(due.begin());
        pace_.complete();
        pace_.looked(now_, false);
      }
    }
    for (; !due.empty(); due.pop_back()) {
      pace_.complete();
    }
    pace_.looked(now_, false);
  }
  // Six fit into each of the 25 windows.
  EXPECT_GE(pieces, 125U);
  EXPECT_LE(pieces, 175U);
}

TEST_F(Pace, LearnsFromPiecesThatAreNeverThroughInTime) {
  uint32_t pieces = 0;
  for (int i = 0; i < 2000; ++i) {
    pieces += live_window(microseconds(500), microseconds(1500));
  }
  EXPECT_LT(pieces, 300U) << "each delayed a demand";
  EXPECT_GT(pieces, 10U) << "now and then it is tried again";
}

TEST_F(Pace, IsNotEndedByOneSlowPiece) {
  for (int i = 0; i < 50; ++i) {
    live_window(microseconds(1000), microseconds(200));
  }
  live_window(microseconds(1000), microseconds(50'000));
  uint32_t pieces = 0;
  for (int i = 0; i < 50; ++i) {
    pieces += live_window(microseconds(1000), microseconds(200));
  }
  EXPECT_GT(pieces, 50U);
}

TEST_F(Pace, TakesWhatWasCompleteBeforeForNoNewsOfWhatCameLater) {
  pace_.submitted(now_);
  now_ += microseconds(100);
  pace_.disturbed(now_, true);
  pace_.complete();
  pace_.submitted(now_);
  const uint32_t before = room(microseconds(2000));
  now_ += microseconds(10);
  pace_.looked(now_, false);
  EXPECT_EQ(room(microseconds(2000)), before) << "it has not been read in 10 us";
}

TEST_F(Pace, LearnsNothingFromLooksThatFindNothing) {
  pace_.submitted(now_);
  pace_.submitted(now_);
  now_ += microseconds(200);
  pace_.complete();
  pace_.looked(now_, false);
  const uint32_t before = room(microseconds(2000));
  for (int i = 0; i < 100; ++i) {
    now_ += microseconds(50);
    pace_.looked(now_, false);
  }
  EXPECT_EQ(room(microseconds(2000)), before);
}

}  // namespace
}  // namespace spillway
