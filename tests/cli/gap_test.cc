// The gap of a run that read from a real drive, and of one whose model computed.
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "core/json.h"
#include "tests/support/program.h"

namespace spillway::test {
namespace {

const std::string kBundled = SPILLWAY_SOURCE_DIR "/bundled/tiny-moe-q4_0.gguf";
constexpr int kUnavailable = 77;

class LiveGapCli : public testing::Test {
 protected:
  void SetUp() override {
    const Ran ran = spillway({"record",       "--model",   kBundled, "-p",        "A cache", "-n",      "12",
                              "--ignore-eos", "--warm-up", "4",      "--threads", "1",       "--cache", "2MB",
                              "--backend",    "pread",     "-o",     trace_,      "--json",  live_});
    ASSERT_EQ(ran.status, 0) << ran.err;
  }

  Ran gap(const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"gap",       trace_,  "--live",  live_, "--store",   kBundled,
                                          "--backend", "pread", "--cache", "2MB", "--compute", "recorded"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return spillway(arguments);
  }

  TemporaryDirectory scratch_;
  std::string trace_ = scratch_ / "live.bin";
  std::string live_ = scratch_ / "live.json";
};

TEST_F(LiveGapCli, AddsUpToTheTimeThatTheLiveRunTook) {
  const Ran ran = gap({"--warm-up", "4", "--json", "-"});
  if (ran.status == kUnavailable) {
    GTEST_SKIP() << ran.err;
  }
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json report = Json::parse(ran.out);
  const Json bars = report["gap"]["explained"];
  const Json measured = Json::parse(read_file(live_))["phases"]["measured"];
  const double achieved = double(measured["wall_ns"]) / double(measured["tokens"]) / 1e9;
  EXPECT_NEAR(bars["achieved_s_per_token"], achieved, 1e-9);
  double sum = bars["seed_s_per_token"];
  std::map<std::string, double> named;
  for (const Json& bar : bars["bars"]) {
    sum += double(bar["s_per_token"]);
    named[bar["name"]] = bar["s_per_token"];
  }
  EXPECT_NEAR(sum + double(bars["residual_s_per_token"]), achieved, 1e-9);
  EXPECT_TRUE(named.contains("syscalls, faults and copies")) << "pread is compared with direct reads";
  EXPECT_TRUE(named.contains("compute not overlapped"));
  const Json replayed = report["phases"]["measured"];
  EXPECT_NEAR(
      named["reads while it was live"],
      (double(measured["stall_ns"]) - double(replayed["stall_ns"])) / double(measured["tokens"]) / 1e9, 1e-9);
}

TEST_F(LiveGapCli, RefusesAReportOfAnotherRunBeforeItRunsAnything) {
  expect_one_line(gap({}), 2, {live_, "warm_up 4", "this run has 0"});
  expect_one_line(gap({"--warm-up", "4", "--evict", "lfu"}), 2, {live_, "evict lru", "lfu"});
  expect_one_line(gap({"--warm-up", "4", "--tokens", "8"}), 2, {live_, "has 7 passes of decode", "4"});
  expect_one_line(gap({"--warm-up", "4", "--memory", "200MB"}), 2, {live_, "--memory 0", "200000000"});
  EXPECT_TRUE(spillway({"gap", trace_, "--live", live_, "--warm-up", "4", "--cache", "1MB", "--compute",
                        "recorded", "--store", scratch_ / "none"})
                  .err.find("cache_bytes") != std::string::npos)
      << "the store was looked for";
}

TEST_F(LiveGapCli, HeadsItsTableWithTheLiveSpeedAndSaysWhoseTheRestIs) {
  const Ran ran = gap({"--warm-up", "4"});
  if (ran.status == kUnavailable) {
    GTEST_SKIP() << ran.err;
  }
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("tok/s by the live run"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("replay beside it"), std::string::npos) << ran.out;
}

TEST_F(LiveGapCli, RefusesWhatItWouldNotUse) {
  expect_one_line(spillway({"gap", trace_, "--cache", "2MB", "--watch-drive", scratch_ / "w.json"}), 2,
                  {"--watch-drive"});
  for (const std::vector<std::string>& unused : std::vector<std::vector<std::string>>{
           {"--backend", "mmap"}, {"--verify", "all"}, {"--pages", "thp"}, {"--warm"}, {"--no-probe"}}) {
    std::vector<std::string> arguments = {"gap", trace_, "--cache", "2MB", "--device", "nvme-gen4"};
    arguments.insert(arguments.end(), unused.begin(), unused.end());
    expect_one_line(spillway(arguments), 2, {"--device nvme-gen4", unused.front()});
  }
}

TEST_F(LiveGapCli, RefusesTheReportOfAThrottledRun) {
  Json report = Json::parse(read_file(live_));
  report["config"]["throttle_bytes_per_s"] = "100000000";
  std::ofstream(live_) << report;
  expect_one_line(gap({"--warm-up", "4"}), 1, {live_, "--throttle"});
}

TEST_F(LiveGapCli, WarnsOfALiveRunWhoseProcessorsWereHeldBack) {
  for (const double share : {0.0, 0.5}) {
    Json report = Json::parse(read_file(live_));
    report["io"]["stolen_share"] = share;
    std::ofstream(live_) << report;
    const Ran ran = gap({"--warm-up", "4", "--json", "-"});
    if (ran.status == kUnavailable) {
      GTEST_SKIP() << ran.err;
    }
    ASSERT_EQ(ran.status, 0) << ran.err;
    const std::string warnings = Json::parse(ran.out)["warnings"].dump();
    EXPECT_EQ(warnings.find("--live " + live_ + ": the machine's host") != std::string::npos, share > 0)
        << warnings;
  }
}

TEST_F(LiveGapCli, RefusesTheReportOfARunThatRecordedAnotherTrace) {
  const std::string other = scratch_ / "other.json";
  const Ran recorded =
      spillway({"record",  "--model",      kBundled,    "-p",    "A drive",   "-n",
                "12",      "--ignore-eos", "--warm-up", "4",     "--threads", "1",
                "--cache", "2MB",          "--backend", "pread", "-o",        scratch_ / "other.bin",
                "--json",  other});
  ASSERT_EQ(recorded.status, 0) << recorded.err;
  live_ = other;
  expect_one_line(gap({"--warm-up", "4"}), 2, {other, "another run", trace_});
  // A report of a version that named no identity is taken as it is.
  Json report = Json::parse(read_file(other));
  report["run"].erase("identity");
  write_file(other, report.dump());
  const Ran old = gap({"--warm-up", "4", "--no-probe"});
  EXPECT_EQ(old.err.find("another run"), std::string::npos) << old.err;
}

}  // namespace
}  // namespace spillway::test
