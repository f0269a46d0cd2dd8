#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <thread>

#include "core/json.h"
#include "tests/support/program.h"

// --timeline, compared with the report of the same run.
namespace spillway::test {
namespace {

struct Slice {
  int64_t start_ns = 0;
  int64_t end_ns = 0;
};

int64_t nanoseconds(const Json& microseconds) {
  return std::llround(microseconds.get<double>() * 1000);
}

// Maps the name of each track to its slices, ordered by start.
std::map<std::string, std::vector<Slice>> tracks_of(const Json& events) {
  std::map<int, std::string> names;
  std::map<std::string, std::vector<Slice>> tracks;
  for (const Json& event : events) {
    if (event["name"] == "thread_name") {
      names[event["tid"]] = event["args"]["name"];
    }
  }
  for (const Json& event : events) {
    if (event["ph"] == "X") {
      const int64_t start = nanoseconds(event["ts"]);
      tracks[names.at(event["tid"])].push_back({start, start + nanoseconds(event["dur"])});
    }
  }
  for (auto& [name, slices] : tracks) {
    std::sort(slices.begin(), slices.end(),
              [](const Slice& a, const Slice& b) { return a.start_ns < b.start_ns; });
  }
  return tracks;
}

int64_t sum(const std::vector<Slice>& slices) {
  int64_t total = 0;
  for (const Slice& slice : slices) {
    total += slice.end_ns - slice.start_ns;
  }
  return total;
}

void expect_no_overlap(const std::string& what, std::vector<Slice> slices) {
  std::sort(slices.begin(), slices.end(),
            [](const Slice& a, const Slice& b) { return a.start_ns < b.start_ns; });
  for (size_t i = 1; i < slices.size(); ++i) {
    ASSERT_LE(slices[i - 1].end_ns, slices[i].start_ns) << what << ", slice " << i;
  }
}

// Sums the time within the tokens that is neither stall nor compute, by walking along the tokens.
int64_t time_between(const std::vector<Slice>& busy, const std::vector<Slice>& tokens) {
  int64_t gaps = 0;
  size_t next = 0;
  for (const Slice& token : tokens) {
    int64_t at = token.start_ns;
    for (; next < busy.size() && busy[next].start_ns < token.end_ns; ++next) {
      gaps += busy[next].start_ns - at;
      at = busy[next].end_ns;
    }
    gaps += token.end_ns - at;
  }
  return gaps;
}

void expect_agreement(const std::string& path, const Json& report) {
  const Json events = Json::parse(read_file(path), nullptr, false);
  ASSERT_TRUE(events.is_array()) << read_file(path).substr(0, 500);
  const std::map<std::string, std::vector<Slice>> tracks = tracks_of(events);
  for (const auto& [name, slices] : tracks) {
    expect_no_overlap(name, slices);
  }
  // The single thread either computes or waits, always within a token.
  std::vector<Slice> busy = tracks.at("stall");
  if (tracks.contains("compute")) {
    busy.insert(busy.end(), tracks.at("compute").begin(), tracks.at("compute").end());
  }
  expect_no_overlap("stall and compute", busy);
  std::sort(busy.begin(), busy.end(), [](const Slice& a, const Slice& b) { return a.start_ns < b.start_ns; });
  const Json& total = report["phases"]["total"];
  const int64_t stall = sum(tracks.at("stall"));
  const int64_t compute = tracks.contains("compute") ? sum(tracks.at("compute")) : 0;
  EXPECT_EQ(stall, total["stall_ns"]);
  EXPECT_EQ(compute, total["attention_ns"].get<int64_t>() + total["experts_ns"].get<int64_t>());
  EXPECT_EQ(sum(tracks.at("tokens")), total["wall_ns"]);
  const int64_t otherwise = time_between(busy, tracks.at("tokens"));
  EXPECT_GE(otherwise, 0);
  EXPECT_EQ(stall + compute + otherwise, total["wall_ns"]);

  int64_t read = 0;
  for (const Json& event : events) {
    read += event["ph"] == "X" && event["args"].contains("why") ? event["args"]["bytes"].get<int64_t>() : 0;
  }
  EXPECT_EQ(read, report["io"]["read_bytes"]);
}

class TimelineOption : public testing::Test {
 protected:
  void SetUp() override {
    const Ran made =
        spillway({"trace",          "synth", "--layers", "4",   "--experts", "16", "--top-k", "4",
                  "--expert-bytes", "64KiB", "--tokens", "30",  "--prefill", "5",  "--reuse", "0.5",
                  "--seed",         "7",     "-o",       trace_});
    ASSERT_EQ(made.status, 0) << made.err;
  }

  Json run(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--timeline", timeline_, "--json", "-"});
    const Ran ran = spillway(arguments);
    EXPECT_EQ(ran.status, 0) << ran.err;
    return Json::parse(ran.out, nullptr, false);
  }

  TemporaryDirectory scratch_;
  std::string trace_ = scratch_ / "trace.bin";
  std::string timeline_ = scratch_ / "timeline.json";
};

TEST_F(TimelineOption, OfASimulationAddsUpToItsReport) {
  for (const std::string prefetch : {"none", "last-token"}) {
    SCOPED_TRACE(prefetch);
    const Json report = run({"simulate", trace_, "--cache", "1MiB", "--compute", "300us", "--prefetch",
                             prefetch, "--device", "linear:bandwidth=1GB/s", "--depth", "8"});
    expect_agreement(timeline_, report);
    EXPECT_GT(report["phases"]["total"]["stall_ns"], 0);
  }
}

TEST_F(TimelineOption, OfAReplayAddsUpToItsReport) {
  const Json report = run({"replay", trace_, "--store", scratch_.path(), "--no-probe", "--backend", "pread",
                           "--cache", "1MiB", "--compute", "200us"});
  expect_agreement(timeline_, report);
}

TEST_F(TimelineOption, OfARecordingAddsUpToItsReport) {
  const std::string model = std::string(SPILLWAY_SOURCE_DIR) + "/bundled/tiny-moe-q4_0.gguf";
  if (!std::filesystem::exists(model)) {
    GTEST_SKIP() << model << " is not there";
  }
  const Json report = run({"record", "--model", model, "--prompt", "static int", "--raw", "-n", "6",
                           "--no-trace", "--no-probe", "--backend", "pread", "--cache", "1MB"});
  expect_agreement(timeline_, report);
}

TEST_F(TimelineOption, ChangesNoDecision) {
  const std::vector<std::string> plain = {"simulate", trace_, "--cache", "1MiB", "--json", "-"};
  EXPECT_EQ(run({"simulate", trace_, "--cache", "1MiB"})["digest"],
            Json::parse(spillway(plain).out)["digest"]);
}

TEST_F(TimelineOption, NeverReplacesAnInputOrAnotherOutput) {
  EXPECT_EQ(spillway({"simulate", trace_, "--cache", "1MiB", "--timeline", trace_}).status, 2);
  const std::string report = scratch_ / "report.json";
  EXPECT_EQ(spillway({"simulate", trace_, "--cache", "1MiB", "--json", report, "--timeline", report}).status,
            2);
  EXPECT_FALSE(std::filesystem::exists(report));
  EXPECT_EQ(spillway({"simulate", trace_, "--cache", "1MiB", "--timeline", "/no/such/dir/t.json"}).status, 1);
}

TEST_F(TimelineOption, ThatCannotBeWrittenCostsTheStatusAndNotTheReport) {
  const Ran ran = spillway({"simulate", trace_, "--cache", "1MiB", "--timeline", "/dev/full"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_NE(ran.out.find("tok/s"), std::string::npos) << ran.out;
  EXPECT_NE(ran.err.find("--timeline"), std::string::npos) << ran.err;
}

TEST_F(TimelineOption, IsReadableWhenTheRunIsKilled) {
  Program replay({SPILLWAY_BINARY, "replay", trace_, "--store", scratch_.path(), "--no-probe", "--backend",
                  "pread", "--cache", "1MiB", "--compute", "20ms", "--timeline", timeline_});
  // One token takes at least 80 ms and is written when it ends.
  const std::string status = "/proc/" + std::to_string(replay.pid()) + "/status";
  while (read_file(timeline_).find("token 2") == std::string::npos &&
         read_file(status).find("State:\tZ") == std::string::npos) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  replay.signal(SIGKILL);

  EXPECT_EQ(replay.wait().status, 128 + SIGKILL);
  const Json events = Json::parse(read_file(timeline_) + "]", nullptr, false);
  ASSERT_TRUE(events.is_array()) << read_file(timeline_);
  EXPECT_GE(tracks_of(events).at("tokens").size(), 3U);
}

}  // namespace
}  // namespace spillway::test
