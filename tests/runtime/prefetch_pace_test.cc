#include "runtime/prefetch_pace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace spillway {
namespace {

using std::chrono::microseconds;

constexpr uint64_t kPiece = 512 << 10;
constexpr double kHalf = 0.5;

class Pace : public testing::Test {
 protected:
  // Simulates a drive that takes `piece` for each piece, one by one. It reads as many pieces as fit into
  // `idle`, and the pace sees the result at the end. Then a demand of four pieces is read behind the
  // remaining prefetches and waited for. A drive that reports only once it is idle shows nothing before.
  // Returns the number of prefetched pieces.
  uint32_t window(Nanoseconds idle, Nanoseconds piece, bool tells_of_all_only, double useful = kHalf) {
    const uint32_t pieces = pace_.pieces_that_fit(idle, useful);
    if (pieces > 0) {
      pace_.sent(now_, true);
    }
    const auto through = uint32_t(std::min<int64_t>(pieces, idle / piece));
    const Nanoseconds free_at = std::max(now_ + idle, now_ + pieces * piece);
    now_ += idle;
    const bool seen = pieces > 0 && (through == pieces || !tells_of_all_only);
    if (seen) {
      pace_.looked(now_, through * kPiece, through == pieces, true);
    }
    pace_.sent(now_, through == pieces);
    const uint64_t unseen = 4 + pieces - (seen ? through : 0);
    now_ = free_at + 4 * piece;
    pace_.looked(now_, unseen * kPiece, true, false);
    now_ += microseconds(50);
    return pieces;
  }

  uint32_t settled(Nanoseconds idle, Nanoseconds piece, bool tells_of_all_only, double useful = kHalf) {
    uint32_t least = 16;
    uint32_t most = 0;
    for (int i = 0; i < 200; ++i) {
      const uint32_t pieces = window(idle, piece, tells_of_all_only, useful);
      least = i >= 150 ? std::min(least, pieces) : 16;
      most = i >= 150 ? std::max(most, pieces) : 0;
    }
    EXPECT_LE(most, least + 1) << "it does not settle";
    return most;
  }

  PrefetchPace pace_{16, kPiece};
  Nanoseconds now_{microseconds(1)};
};

TEST_F(Pace, BeginsWithOnePieceToFindOut) {
  EXPECT_EQ(pace_.pieces_that_fit(microseconds(100), kHalf), 1U);
  EXPECT_EQ(pace_.pieces_that_fit(microseconds(0), kHalf), 0U);
  EXPECT_EQ(pace_.pieces_that_fit(Nanoseconds::min() + now_, kHalf), 0U);
}

TEST_F(Pace, FindsHowManyFitThoughNobodyLooksMeanwhile) {
  const uint32_t pieces = settled(microseconds(2000), microseconds(250), false);
  EXPECT_GE(pieces, 8U);
  EXPECT_LE(pieces, 10U);
}

TEST_F(Pace, FindsHowManyFitThoughTheDriveTellsOnlyOfAllThatItHas) {
  const uint32_t pieces = settled(microseconds(2000), microseconds(250), true);
  EXPECT_GE(pieces, 8U);
  EXPECT_LE(pieces, 10U);
}

TEST_F(Pace, IsNeverMoreThanTheMostThatIsAllowed) {
  EXPECT_EQ(settled(microseconds(20'000), microseconds(100), false), 16U);
}

TEST_F(Pace, SendsAPieceThatFitsInPartOnlyWhereItIsLikelyToBeWanted) {
  EXPECT_EQ(settled(microseconds(500), microseconds(1500), true, 0.4), 0U);
  EXPECT_EQ(settled(microseconds(500), microseconds(1500), true, 0.9), 1U);
}

TEST_F(Pace, LeavesItToThePagerToTryWhereMoreThanHalfAPieceFits) {
  EXPECT_EQ(settled(microseconds(900), microseconds(1500), true, 0.1), 1U);
}

// Like a replay that waits for its compute: every completed piece is seen at once. The drive reads one piece
// after the other and reports each 80 us later.
TEST_F(Pace, KeepsADriveBusyThatIsWatched) {
  const Nanoseconds piece = microseconds(150);
  const Nanoseconds way = microseconds(80);
  uint64_t pieces = 0;
  for (int window = 0; window < 50; ++window) {
    const Nanoseconds end = now_ + microseconds(1000);
    std::vector<Nanoseconds> due;
    Nanoseconds free_at = now_;
    while (now_ < end) {
      while (due.size() < pace_.pieces_that_fit(end - now_, kHalf)) {
        pace_.sent(now_, due.empty());
        free_at = std::max(free_at, now_) + piece;
        due.push_back(free_at + way);
        pieces += window < 25 ? 0 : 1;
      }
      now_ = due.empty() ? end : due.front();
      if (!due.empty()) {
        EXPECT_LE(due.front(), end + piece) << "a demand waits for more than a piece";
        due.erase(due.begin());
        pace_.looked(now_, kPiece, due.empty(), false);
      }
    }
    if (!due.empty()) {
      now_ = due.back();
      pace_.looked(now_, due.size() * kPiece, true, false);
    }
  }
  // Six pieces fit into each of the 25 windows.
  EXPECT_GE(pieces, 125U);
  EXPECT_LE(pieces, 175U);
}

TEST_F(Pace, IsNotEndedByOneSlowPiece) {
  settled(microseconds(1000), microseconds(200), false);
  window(microseconds(1000), microseconds(50'000), false);
  uint32_t pieces = 0;
  for (int i = 0; i < 50; ++i) {
    pieces += window(microseconds(1000), microseconds(200), false);
  }
  EXPECT_GT(pieces, 200U) << "of 250 that fit";
}

TEST_F(Pace, GivesADriveThatWasThroughBeforeAnyoneLookedMoreNextTime) {
  // No demand ever shows how fast the drive is.
  uint32_t pieces = 0;
  for (int i = 0; i < 400; ++i) {
    pieces = pace_.pieces_that_fit(microseconds(2000), kHalf);
    ASSERT_GT(pieces, 0U);
    pace_.sent(now_, true);
    now_ += microseconds(2000);
    pace_.looked(now_, pieces * kPiece, true, true);
  }
  EXPECT_EQ(pieces, 16U);
}

TEST_F(Pace, LearnsNothingFromLooksThatFindNothing) {
  pace_.sent(now_, true);
  now_ += microseconds(200);
  pace_.looked(now_, kPiece, false, false);
  const uint32_t before = pace_.pieces_that_fit(microseconds(2000), kHalf);
  for (int i = 0; i < 100; ++i) {
    now_ += microseconds(50);
    pace_.looked(now_, 0, false, false);
  }
  EXPECT_EQ(pace_.pieces_that_fit(microseconds(2000), kHalf), before);
}

}  // namespace
}  // namespace spillway
