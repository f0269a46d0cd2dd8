#include <gtest/gtest.h>

#include "core/json.h"
#include "tests/support/program.h"
#include "tests/support/python.h"

// The scripts of plots/ on results that these tests make.
namespace spillway::test {
namespace {

namespace fs = std::filesystem;

class Plots : public testing::Test {
 protected:
  void SetUp() override {
    python_ = python_with_matplotlib();
    if (python_.empty()) {
      GTEST_SKIP() << "python3-matplotlib is not installed";
    }
    const Ran made =
        spillway({"trace", "synth", "--layers", "6", "--experts", "16", "--top-k", "4", "--expert-bytes",
                  "64KiB", "--tokens", "40", "--reuse", "0.5", "--seed", "7", "-o", trace_});
    ASSERT_EQ(made.status, 0) << made.err;
  }

  // Runs a command and returns the path of its JSON output, a file named `name`.
  std::string result(const std::string& name, std::vector<std::string> arguments) {
    const std::string path = scratch_ / name;
    arguments.insert(arguments.end(), {"--json", path});
    const Ran ran = spillway(arguments);
    EXPECT_EQ(ran.status, 0) << ran.err;
    return path;
  }

  std::string simulated(const std::string& name, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"simulate", trace_, "--compute", "300us"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return result(name, arguments);
  }

  Ran plot(const std::string& script, const std::vector<std::string>& inputs, const std::string& output,
           const std::vector<std::string>& options = {}) {
    std::vector<std::string> arguments = {"/usr/bin/env", python_,
                                          std::string(SPILLWAY_SOURCE_DIR) + "/plots/" + script + ".py"};
    arguments.insert(arguments.end(), inputs.begin(), inputs.end());
    arguments.insert(arguments.end(), options.begin(), options.end());
    arguments.insert(arguments.end(), {"-o", output});
    return Program(arguments).wait();
  }

  // Returns the SVG that `script` makes, and expects `words` in it.
  std::string expect_svg(const std::string& script, const std::vector<std::string>& inputs,
                         const std::vector<std::string>& words,
                         const std::vector<std::string>& options = {}) {
    const Ran ran = plot(script, inputs, "-", options);
    EXPECT_EQ(ran.status, 0) << ran.err;
    EXPECT_NE(ran.out.find("</svg>"), std::string::npos);
    for (const std::string& word : words) {
      EXPECT_NE(ran.out.find(word), std::string::npos) << script << " has no '" << word << "'";
    }
    return ran.out;
  }

  TemporaryDirectory scratch_;
  std::string trace_ = scratch_ / "trace.bin";
  std::string python_;
};

TEST_F(Plots, WaterfallHasEveryBarOfTheGapAndWhatIsNotExplained) {
  const std::string gap =
      result("gap.json", {"gap", trace_, "--device", "queueing", "--cache", "1MiB", "--compute", "300us"});
  const std::string svg =
      expect_svg("gap_waterfall", {gap}, {"achieved", "not explained", "time of a token"});
  const Json bars = Json::parse(read_file(gap))["gap"]["explained"]["bars"];
  for (const Json& bar : bars) {
    EXPECT_NE(svg.find(bar["name"].get<std::string>()), std::string::npos) << bar["name"];
  }
  const Ran refused = plot("gap_waterfall", {simulated("plain.json", {"--cache", "1MiB"})}, "-");
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("spillway gap"), std::string::npos) << refused.err;
}

TEST_F(Plots, CurvesHaveTheirPoliciesTheCliffAndTheKnee) {
  const std::string curve = result("curve.json", {"curve", trace_, "--policy", "lru,lfu,belady"});
  expect_svg("hit_ratio_curves", {curve},
             {"lru", "lfu", "belady", "cliff", "LRU's knee", "hits of decode (%)"});
}

TEST_F(Plots, LatenciesAreDrawnOfEveryRunByItsName) {
  const std::string small = simulated("small.json", {"--cache", "1MiB"});
  const std::string large = simulated("large.json", {"--cache", "4MiB"});
  expect_svg("latency_cdf", {small, large}, {"small", "large", "tokens no slower (%)"});
}

TEST_F(Plots, LatenciesOfManyRunsAreThoseOfTheBestAndTheWorst) {
  const Json report = Json::parse(read_file(simulated("run.json", {"--cache", "1MiB"})));
  std::vector<std::string> runs;
  for (int i = 0; i < 9; ++i) {
    runs.push_back(scratch_ / ("run" + std::to_string(i) + ".json"));
    Json other = report;
    Json& latency = other["phases"]["measured"]["latency"];
    // The first token of each run hits every expert and takes no time.
    latency["histogram"] = {{{"upper_bound_ns", 1}, {"count", 1}},
                            {{"upper_bound_ns", 90'000'000}, {"count", 9}}};
    latency["max_ns"] = 90'000'000;
    latency["p99_ns"] = 50'000'000 + 1'000'000 * (i * 4 % 9);  // in another order than their names
    std::ofstream(runs.back()) << other.dump();
  }
  const std::string svg =
      expect_svg("latency_cdf", runs, {"3 more, with p99 between these, are not shown", ">0.1<"});
  EXPECT_EQ(svg.find("1e-"), std::string::npos) << "the axis has ticks for tokens that take no time";
  for (const int i : {0, 7, 5, 6, 4, 2}) {  // 0, 1, 2, 6, 7 and 8 × 4 mod 9
    EXPECT_NE(svg.find("run" + std::to_string(i)), std::string::npos) << i;
  }
}

TEST_F(Plots, TicksAreLeftOutWhereTheyWouldLieOnEachOther) {
  std::vector<std::string> runs;
  for (const std::string cache : {"1MiB", "1100KiB", "8MiB"}) {
    for (const std::string policy : {"lru", "lfu"}) {
      runs.push_back(simulated(cache + policy + ".json", {"--cache", cache, "--evict", policy}));
    }
  }
  const std::string svg = expect_svg("sweep_lines", runs, {"1.05 MB", "8.39 MB", ">evict<"});
  EXPECT_EQ(svg.find("1.13 MB"), std::string::npos);
}

TEST_F(Plots, TooManyLinesArePlotsOfTheirOwn) {
  const std::string run = simulated("run.json", {"--cache", "1MiB"});
  const Json report = Json::parse(read_file(run));
  std::vector<std::string> points;
  for (const std::string cache : {"1MiB", "8MiB"}) {
    for (const std::string device : {"one", "two"}) {
      for (int policy = 0; policy < 8; ++policy) {
        points.push_back(scratch_ / (cache + device + std::to_string(policy) + ".json"));
        std::ofstream(points.back()) << Json(
            {{"schema", "spillway.point/1"},
             {"point", {{"cache", cache}, {"drive", device}, {"evict", policy}}},
             {"status", "done"},
             {"repetition", 1},
             {"result", report}});
      }
    }
  }
  expect_svg("sweep_lines", points, {">drive one<", ">drive two<", ">evict<"}, {"--series", "evict,drive"});
  EXPECT_EQ(expect_svg("sweep_lines", {points.begin(), points.begin() + 8}, {"tokens per second"})
                .find("drive one"),
            std::string::npos);
}

TEST_F(Plots, SpeedIsDrawnByCacheAndByWhateverElseVaries) {
  std::vector<std::string> runs;
  for (const std::string cache : {"1MiB", "2MiB", "4MiB"}) {
    for (const std::string policy : {"lru", "lfu"}) {
      runs.push_back(simulated(cache + policy + ".json", {"--cache", cache, "--evict", policy}));
    }
  }
  expect_svg("sweep_lines", runs, {"lru", "lfu", "tokens per second", "cache"});
  expect_svg("sweep_lines", runs, {"hits of decode (%)"}, {"--y", "hit_ratio"});
  expect_svg("sweep_bars", runs, {"1MiBlru", "4MiBlfu", "p99 of token latency (ms)"}, {"--y", "p99_ns"});
  const Ran refused = plot("sweep_lines", runs, "-", {"--y", "wings"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("tok_per_s"), std::string::npos) << refused.err;
}

TEST_F(Plots, HeatMapsAreOfRunsAndOfPlans) {
  std::vector<std::string> runs;
  for (const std::string cache : {"1MiB", "2MiB", "4MiB"}) {
    for (const std::string rate : {"50MB/s", "200MB/s", "1GB/s"}) {
      runs.push_back(simulated(cache + rate.substr(0, rate.find('/')) + ".json",
                               {"--cache", cache, "--device", "linear:bandwidth=" + rate}));
    }
  }
  expect_svg("ram_ssd_heatmap", runs, {"drive (GB/s)", "RAM for experts", "1.05 MB"});
  const std::string plan = result("plan.json", {"plan", "--model", "qwen3-30b-a3b"});
  expect_svg("ram_ssd_heatmap", {plan}, {"drive (GB/s)", "tok/s", "as asked"});
  const Ran refused = plot("ram_ssd_heatmap", {runs.front()}, "-");
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("two of each"), std::string::npos) << refused.err;
}

TEST_F(Plots, BreakEvenIsAgainstTheSameRunWithoutPrefetch) {
  std::vector<std::string> runs = {simulated("none.json", {"--cache", "2MiB"})};
  for (const std::string precision : {"0.3", "0.6", "1"}) {
    for (const std::string recall : {"0.5", "1"}) {
      runs.push_back(simulated(
          "p" + precision + "r" + recall + ".json",
          {"--cache", "2MiB", "--prefetch", "oracle:precision=" + precision + ",recall=" + recall}));
    }
  }
  const std::string svg = expect_svg("break_even", runs, {"precision (%)", "recall (%)", "1 layer ahead"});
  EXPECT_EQ(svg.find("compute"), std::string::npos) << "an option that all runs share is shown";
  std::vector<std::string> others = runs;
  for (const std::string& run : runs) {
    Json report = Json::parse(read_file(run));
    report["config"]["compute"] = "9ms";
    others.push_back(run + ".slow.json");
    std::ofstream(others.back()) << report.dump();
  }
  expect_svg("break_even", others, {"compute 300000ns", "compute 9ms"});
  // A single recall makes one row of its own height, through which no line can be drawn.
  std::erase_if(runs, [](const std::string& run) { return run.find("r0.5") != std::string::npos; });
  EXPECT_EQ(expect_svg("break_even", runs, {"precision (%)"}).find("nan"), std::string::npos);
  runs.erase(runs.begin());
  const Ran refused = plot("break_even", runs, "-");
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("none"), std::string::npos) << refused.err;
}

TEST_F(Plots, OneTokenIsDrawnFromATimelineAndFromAnUnfinishedOne) {
  const std::string timeline = scratch_ / "timeline.json";
  simulated("run.json", {"--cache", "1MiB", "--timeline", timeline});
  expect_svg("token_timeline", {timeline}, {"stall", "compute", "demand read"});
  expect_svg("token_timeline", {timeline}, {"since token 3 began"}, {"--token", "3"});
  const std::string text = read_file(timeline);
  std::ofstream(scratch_ / "cut.json") << text.substr(0, text.size() / 2);
  expect_svg("token_timeline", {scratch_ / "cut.json"}, {"stall"});
  EXPECT_EQ(plot("token_timeline", {timeline}, "-", {"--token", "40"}).status, 1);
}

TEST_F(Plots, RefuseWhatIsOfAnotherVersionOrNoResult) {
  Json report = Json::parse(read_file(simulated("run.json", {"--cache", "1MiB"})));
  report["schema"] = "spillway.report/2";
  std::ofstream(scratch_ / "newer.json") << report.dump();
  std::ofstream(scratch_ / "broken.json") << "{\"schema\": ";
  std::ofstream(scratch_ / "empty.json") << R"({"schema": "spillway.report/1"})";
  for (const fs::directory_entry& script :
       fs::directory_iterator(std::string(SPILLWAY_SOURCE_DIR) + "/plots")) {
    const std::string name = script.path().stem();
    if (script.path().extension() != ".py" || name == "figure") {
      continue;
    }
    for (const std::string input : {"newer.json", "broken.json", "empty.json", "missing.json"}) {
      SCOPED_TRACE(name + " " + input);
      const Ran ran = plot(name, {scratch_ / input}, scratch_ / "out.svg");
      EXPECT_EQ(ran.status, 1) << ran.err;
      EXPECT_NE(ran.err.find(input), std::string::npos) << ran.err;
      EXPECT_EQ(ran.err.find("Traceback"), std::string::npos) << ran.err;
      EXPECT_FALSE(fs::exists(scratch_ / "out.svg"));
    }
    EXPECT_EQ(plot(name, {scratch_ / "run.json"}, scratch_ / "out.jpeg").status, 2) << name;
  }
}

TEST_F(Plots, AreTheSameBytesFromTheSameInputAndPngWhereThatIsAsked) {
  const std::string run = simulated("run.json", {"--cache", "1MiB"});
  EXPECT_EQ(plot("latency_cdf", {run}, "-").out, plot("latency_cdf", {run}, "-").out);
  ASSERT_EQ(plot("latency_cdf", {run}, scratch_ / "out.png").status, 0);
  EXPECT_EQ(read_file(scratch_ / "out.png").substr(1, 3), "PNG");
}

}  // namespace
}  // namespace spillway::test
