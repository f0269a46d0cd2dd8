#include "app/report/timeline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "core/json.h"
#include "core/rng.h"
#include "tests/support/program.h"

namespace spillway::test {
namespace {

ModelGeometry small_geometry() {
  return {.layers = 2, .experts_per_layer = 4, .top_k = 2, .used_top_k = 2, .expert_bytes = {100, 300}};
}

class TimelineFile : public testing::Test {
 protected:
  std::unique_ptr<Timeline> create() {
    Result<std::unique_ptr<Timeline>> made = Timeline::create(path_, geometry_, "a \"title\"");
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }

  Json finished(Timeline& timeline) {
    const Result<void> done = timeline.finish();
    EXPECT_TRUE(done) << done.error().message;
    return Json::parse(read_file(path_), nullptr, false);
  }

  TemporaryDirectory scratch_;
  std::string path_ = scratch_ / "timeline.json";
  ModelGeometry geometry_ = small_geometry();
};

Event read_of(int64_t start, int64_t end) {
  return {
      .kind = EventKind::io, .bytes = 7, .start = Nanoseconds(start), .duration = Nanoseconds(end - start)};
}

TEST_F(TimelineFile, HasATrackForEachRequestThatIsInFlightAtATimeAndNoMore) {
  constexpr size_t kDepth = 5;
  Rng rng(3);
  const std::unique_ptr<Timeline> timeline = create();
  std::vector<int64_t> flying;  // start of each read in flight
  int64_t now = 0;
  for (int i = 0; i < 2000; ++i) {
    now += int64_t(rng.below(3));
    if (flying.size() < kDepth && rng.below(2) == 0) {
      flying.push_back(now);
    } else if (!flying.empty()) {
      const auto done = flying.begin() + std::ptrdiff_t(rng.below(flying.size()));
      timeline->on(read_of(*done, now));
      flying.erase(done);
    }
  }
  std::map<int, std::vector<std::pair<double, double>>> tracks;
  for (const Json& event : finished(*timeline)) {
    if (event["ph"] == "X") {
      tracks[event["tid"]].emplace_back(event["ts"], event["dur"]);
    }
  }
  EXPECT_EQ(tracks.size(), kDepth);
  for (auto& [track, slices] : tracks) {
    std::sort(slices.begin(), slices.end());
    for (size_t i = 1; i < slices.size(); ++i) {
      EXPECT_LE(slices[i - 1].first + slices[i - 1].second, slices[i].first + 1e-9) << "track " << track;
    }
  }
}

TEST_F(TimelineFile, LacksNothingButItsBracketWhenTheRunIsKilled) {
  {
    const std::unique_ptr<Timeline> timeline = create();
    for (int i = 0; i < 3; ++i) {
      timeline->on({.kind = EventKind::stall, .start = Nanoseconds(10 * i), .duration = Nanoseconds(5)});
      timeline->on(
          {.kind = EventKind::pass, .tokens = 1, .start = Nanoseconds(10 * i), .duration = Nanoseconds(10)});
    }
    timeline->on({.kind = EventKind::stall, .start = Nanoseconds(30), .duration = Nanoseconds(5)});
    // Nothing has been written yet, so the events in memory are lost.
    const Json events = Json::parse(read_file(path_) + "]", nullptr, false);
    ASSERT_TRUE(events.is_array()) << read_file(path_);
    EXPECT_EQ(events.back()["name"], "token 2");
  }
  EXPECT_TRUE(Json::parse(read_file(path_) + "]", nullptr, false).is_array())
      << "the destructor ends the file";
}

TEST_F(TimelineFile, CountsTheBytesInTheCacheAtTheEndOfEachStep) {
  const std::unique_ptr<Timeline> timeline = create();
  const ExpertId small = geometry_.id(0, 1);
  const ExpertId large = geometry_.id(1, 2);
  timeline->on({.kind = EventKind::admit, .expert = small});
  timeline->on({.kind = EventKind::prefetch, .expert = large});
  timeline->on({.kind = EventKind::step, .start = Nanoseconds(0), .duration = Nanoseconds(1500)});
  timeline->on({.kind = EventKind::step, .start = Nanoseconds(1500), .duration = Nanoseconds(500)});
  timeline->on({.kind = EventKind::evict, .expert = small});
  timeline->on({.kind = EventKind::step, .start = Nanoseconds(2000), .duration = Nanoseconds(1)});
  std::vector<std::pair<double, int>> counted;
  for (const Json& event : finished(*timeline)) {
    if (event["ph"] == "C") {
      counted.emplace_back(event["ts"], event["args"]["bytes"]);
    }
  }
  EXPECT_EQ(counted, (std::vector<std::pair<double, int>>{{1.5, 400}, {2.001, 300}}));
}

TEST_F(TimelineFile, SaysWhatAStepAskedForAndOfWhichLayer) {
  const std::unique_ptr<Timeline> timeline = create();
  timeline->on({.kind = EventKind::hit, .expert = geometry_.id(1, 0)});
  timeline->on({.kind = EventKind::miss, .expert = geometry_.id(1, 3)});
  timeline->on({.kind = EventKind::step, .tokens = 1, .duration = Nanoseconds(10)});
  const Json events = finished(*timeline);
  const auto step =
      std::find_if(events.begin(), events.end(), [](const Json& event) { return event["ph"] == "X"; });
  ASSERT_NE(step, events.end());
  EXPECT_EQ((*step)["name"], "layer 1");
  EXPECT_EQ((*step)["args"]["experts"], 2);
  EXPECT_EQ((*step)["args"]["hits"], 1);
  EXPECT_EQ(events.front()["args"]["name"], "a \"title\"");
  EXPECT_EQ(events.front()["args"]["schema"], "spillway.timeline/1");
}

TEST_F(TimelineFile, AFullDiskIsToldAtTheEndAndNeverToTheRun) {
  path_ = "/dev/full";
  const std::unique_ptr<Timeline> timeline = create();
  for (int i = 0; i < 10'000; ++i) {
    timeline->on(read_of(i, i + 1));
  }
  const Result<void> done = timeline->finish();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("/dev/full"), std::string::npos) << done.error().message;
}

}  // namespace
}  // namespace spillway::test
