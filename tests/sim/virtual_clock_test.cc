#include "sim/virtual_clock.h"

#include <gtest/gtest.h>

namespace spillway {
namespace {

struct OneEvent final : EventSource {
  std::optional<Nanoseconds> at;
  std::optional<Nanoseconds> next_event() const override { return at; }
};

TEST(VirtualClock, starts_at_zero_and_waits_until_the_deadline_when_nothing_is_under_way) {
  VirtualClock clock;
  EXPECT_EQ(clock.now(), Nanoseconds(0));
  clock.wait_until(Nanoseconds(70));
  EXPECT_EQ(clock.now(), Nanoseconds(70));
}

TEST(VirtualClock, never_goes_back) {
  VirtualClock clock;
  clock.wait_until(Nanoseconds(70));
  clock.wait_until(Nanoseconds(30));
  EXPECT_EQ(clock.now(), Nanoseconds(70));
  clock.advance_to(Nanoseconds(50));
  EXPECT_EQ(clock.now(), Nanoseconds(70));
}

TEST(VirtualClock, stops_at_the_earliest_event_before_the_deadline_until_it_is_taken) {
  VirtualClock clock;
  OneEvent first;
  OneEvent second;
  clock.watch(first);
  clock.watch(second);
  first.at = Nanoseconds(20);
  second.at = Nanoseconds(10);
  clock.wait_until(Nanoseconds(100));
  EXPECT_EQ(clock.now(), Nanoseconds(10));
  clock.wait_until(Nanoseconds(100));
  EXPECT_EQ(clock.now(), Nanoseconds(10));
  second.at.reset();
  clock.wait_until(Nanoseconds(100));
  EXPECT_EQ(clock.now(), Nanoseconds(20));
  clock.unwatch(first);
  clock.wait_until(Nanoseconds(100));
  EXPECT_EQ(clock.now(), Nanoseconds(100));
}

TEST(VirtualClock, does_not_reach_an_event_behind_the_deadline) {
  VirtualClock clock;
  OneEvent event;
  event.at = Nanoseconds(200);
  clock.watch(event);
  clock.wait_until(Nanoseconds(150));
  EXPECT_EQ(clock.now(), Nanoseconds(150));
}

}  // namespace
}  // namespace spillway
