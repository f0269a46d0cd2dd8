#include "tests/support/sweep_lab.h"

namespace spillway::test {
namespace {

class Compare : public SweepLab {
 protected:
  void SetUp() override {
    const Ran made = spillway({"trace", "synth", "--layers", "4", "--experts", "16", "--top-k", "4",
                               "--expert-bytes", "64KiB", "--tokens", "60", "--seed", "7", "-o", trace_});
    ASSERT_EQ(made.status, 0) << made.err;
  }

  std::string simulate(const std::string& name, std::vector<std::string> more) const {
    const std::string report = scratch_ / name;
    std::vector<std::string> arguments = {"simulate", trace_, "--cache", "1MiB", "--json", report};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Ran ran = spillway(arguments);
    EXPECT_EQ(ran.status, 0) << ran.err;
    return report;
  }

  static Json compare(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "compare");
    arguments.insert(arguments.end(), {"--json", "-"});
    const Ran ran = spillway(arguments);
    EXPECT_EQ(ran.status, 0) << ran.err;
    return Json::parse(ran.out, nullptr, false);
  }

  static Json figure(const Json& point, const std::string& name) {
    for (const Json& one : point["figures"]) {
      if (one["name"] == name) {
        return one;
      }
    }
    ADD_FAILURE() << "no figure " << name;
    return {};
  }

  // Writes a report with these tok/s, as if measured.
  void measured(const std::string& path, double tok_per_s) const {
    Json report = Json::parse(read_file(simulate("template.json", {})));
    report["clock"] = "steady";
    report["gap"]["achieved_tok_per_s"] = tok_per_s;
    std::ofstream(path) << report.dump();
  }

  std::string folder_of(const std::string& name, const std::vector<double>& values) const {
    const std::string folder = scratch_ / name;
    std::filesystem::create_directory(folder);
    for (size_t i = 0; i < values.size(); ++i) {
      measured(folder + "/" + std::to_string(i) + ".json", values[i]);
    }
    return folder;
  }

  std::string trace_ = scratch_ / "trace.bin";
};

TEST_F(Compare, SaysThatWhatWasSimulatedTwiceIsEqual) {
  const Json json = compare({simulate("a.json", {}), simulate("b.json", {})});
  ASSERT_EQ(json["points"].size(), 1U);
  for (const Json& one : json["points"][0]["figures"]) {
    EXPECT_EQ(one["verdict"], "equal") << one.dump();
    EXPECT_EQ(one["method"], "exact") << one.dump();
  }
}

TEST_F(Compare, TellsAnExactDifferenceOfSimulations) {
  const std::string slow = simulate("slow.json", {"--device", "linear:bandwidth=1GB/s,latency=0ns"});
  const std::string fast = simulate("fast.json", {"--device", "linear:bandwidth=2GB/s,latency=0ns"});
  const Json speed = figure(compare({slow, fast})["points"][0], "tok_per_s");
  EXPECT_EQ(speed["verdict"], "higher");
  EXPECT_EQ(speed["kind"], "ratio");
  EXPECT_NEAR(speed["difference"].get<double>(), 1.0, 0.01) << "only the drive takes time here";
  EXPECT_EQ(figure(compare({fast, slow})["points"][0], "tok_per_s")["verdict"], "lower");
  const Ran table = spillway({"compare", slow, fast, "--figures", "tok_per_s"});
  EXPECT_NE(table.out.find("B is higher"), std::string::npos) << table.out;
  EXPECT_EQ(table.out.find("hit_ratio"), std::string::npos) << table.out;
}

TEST_F(Compare, DoesNotJudgeSingleRunsThatDrawLots) {
  const auto method = [&](const std::vector<std::string>& options) {
    std::vector<std::string> other = options;
    other.insert(other.end(), {"--seed", "2"});
    return figure(compare({simulate("a.json", options), simulate("b.json", other)})["points"][0],
                  "hit_ratio")["method"];
  };
  EXPECT_EQ(method({"--evict", "lfu"}), "exact");
  EXPECT_EQ(method({"--evict", "random"}), "none");
  EXPECT_EQ(method({"--compute", "1ms", "--prefetch", "oracle:ahead=2"}), "exact");
  EXPECT_EQ(method({"--compute", "1ms", "--prefetch", "oracle:recall=0.5"}), "none");
}

TEST_F(Compare, CallsNoiseNoise) {
  const std::string a = folder_of("a", {9.0, 11.0, 10.0, 10.5});
  const std::string b = folder_of("b", {9.5, 11.5, 10.0, 10.4});
  const Json noise = figure(compare({a, b})["points"][0], "tok_per_s");
  EXPECT_EQ(noise["verdict"], "noise");
  EXPECT_EQ(noise["method"], "welch");
  EXPECT_LT(noise["low"].get<double>(), 0);
  EXPECT_GT(noise["high"].get<double>(), 0);
  const std::string c = folder_of("c", {19.0, 21.0, 20.0, 20.5});
  const Json doubled = figure(compare({a, c})["points"][0], "tok_per_s");
  EXPECT_EQ(doubled["verdict"], "higher");
  EXPECT_NEAR(doubled["difference"].get<double>(), 1.0, 0.05);
  EXPECT_GT(doubled["low"].get<double>(), 0.7);
  // The means beside the difference are geometric too, since the difference compares geometric means.
  const Json wide =
      figure(compare({folder_of("d", {1.0, 100.0}), folder_of("e", {10.0, 10.0})})["points"][0], "tok_per_s");
  EXPECT_NEAR(wide["a"]["mean"].get<double>(), 10, 1e-9);
  EXPECT_NEAR(wide["difference"].get<double>(), 0, 1e-9);
}

TEST_F(Compare, DoesNotJudgeTwoSingleMeasurements) {
  measured(scratch_ / "one.json", 10);
  measured(scratch_ / "two.json", 20);
  const Json speed =
      figure(compare({scratch_ / "one.json", scratch_ / "two.json"})["points"][0], "tok_per_s");
  EXPECT_EQ(speed["verdict"], "unknown");
  EXPECT_TRUE(speed["low"].is_null());
  EXPECT_NEAR(speed["difference"].get<double>(), 1.0, 1e-9);
  const Ran table = spillway({"compare", scratch_ / "one.json", scratch_ / "two.json"});
  EXPECT_NE(table.out.find("unknown: one run"), std::string::npos) << table.out;
}

TEST_F(Compare, PairsThePointsOfTwoSweepsAndOfTwoPartsOfOne) {
  const std::string file = write(small_experiment());
  ASSERT_EQ(sweep(file, scratch_ / "one").status, 0);
  ASSERT_EQ(sweep(file, scratch_ / "two").status, 0);
  const Json same = compare({scratch_ / "one", scratch_ / "two"});
  EXPECT_EQ(same["points"].size(), 4U);
  for (const Json& point : same["points"]) {
    EXPECT_EQ(figure(point, "hit_ratio")["difference"], 0) << point.dump();
  }
  const Json parts = compare({scratch_ / "one", "--a", "cache=512KiB", "--b", "cache=large"});
  EXPECT_EQ(parts["points"].size(), 2U);
  for (const Json& point : parts["points"]) {
    EXPECT_EQ(point["point"].get<std::string>().find("cache"), std::string::npos) << point["point"];
    const Json hits = figure(point, "hit_ratio");
    EXPECT_EQ(hits["a"]["runs"], 2);
    EXPECT_EQ(hits["kind"], "absolute");
    const bool scatters = point["point"] == "evict=random";
    EXPECT_EQ(hits["method"], scatters ? "paired" : "exact") << "the runs took turns";
  }
}

TEST_F(Compare, LeavesOutWhatOnlyOneSideHas) {
  Json small = small_experiment();
  ASSERT_EQ(sweep(write(small), scratch_ / "one").status, 0);
  small["sweep"]["evict"] = {"lru", "s3fifo:small=2"};
  ASSERT_EQ(sweep(write(small), scratch_ / "two").status, 1) << "some of its runs fail";
  const Json json = compare({scratch_ / "one", scratch_ / "two"});
  EXPECT_EQ(json["points"].size(), 2U);
  EXPECT_EQ(json["points_only_in_a"], 2);
  EXPECT_EQ(json["failed_runs"], 4);
}

TEST_F(Compare, WritesWhatItsSchemaSays) {
  const std::string json = scratch_ / "compare.json";
  const Ran ran = spillway({"compare", folder_of("a", {1, 2}), folder_of("b", {3}), "--json", json});
  ASSERT_EQ(ran.status, 0) << ran.err;
  expect_schema("compare-1.json", json);
}

TEST_F(Compare, ComparesCurvesPointByPoint) {
  const auto curve = [&](const std::string& name, const std::string& policy) {
    const Ran ran =
        spillway({"curve", trace_, "--policy", policy, "--cache", "1MiB,2MiB", "--json", scratch_ / name});
    EXPECT_EQ(ran.status, 0) << ran.err;
    return scratch_ / name;
  };
  const Json json = compare({curve("a.json", "lru,lfu"), curve("b.json", "lru")});
  ASSERT_EQ(json["points"].size(), 1U);
  EXPECT_EQ(json["points"][0]["figures"].size(), 4U) << json.dump(1);
}

TEST_F(Compare, FailsTheRunOfAScriptByItsConditions) {
  const std::string fast = simulate("fast.json", {"--device", "linear:bandwidth=2GB/s,latency=0ns"});
  const std::string slow = simulate("slow.json", {"--device", "linear:bandwidth=1GB/s,latency=0ns"});
  const Ran drop = spillway({"compare", fast, slow, "--fail-if", "tok_per_s<-5%"});
  expect_one_line(drop, 1, {"tok_per_s<-5%", "1 of 1", "-50.0"});
  EXPECT_NE(drop.out.find("fail-if tok_per_s<-5%: FAILS"), std::string::npos) << drop.out;
  EXPECT_NE(drop.out.find("B is lower: worse"), std::string::npos) << drop.out;
  EXPECT_EQ(drop.out.find("intervals"), std::string::npos) << "both are exact: " << drop.out;
  const Ran gain = spillway({"compare", slow, fast, "--fail-if", "tok_per_s<-5%,p99_ns>10%"});
  EXPECT_EQ(gain.status, 0) << gain.err;
  EXPECT_NE(gain.out.find("B is higher: better"), std::string::npos) << gain.out;
  EXPECT_NE(gain.out.find("B is lower: better"), std::string::npos) << "of latency: " << gain.out;
  expect_one_line(spillway({"compare", fast, slow, "--fail-if", "hit_ratio<0%", "--fail-if", "p50_ns>10%"}),
                  1, {"1 of 2", "p50_ns"});

  measured(scratch_ / "one.json", 10);
  measured(scratch_ / "two.json", 9);
  const std::string json = scratch_ / "verdicts.json";
  const Ran single = spillway({"compare", scratch_ / "one.json", scratch_ / "two.json", "--fail-if",
                               "tok_per_s<-5%", "--json", json});
  expect_one_line(single, 1, {"one run on each side"});
  EXPECT_EQ(single.out.find("intervals"), std::string::npos) << single.out;
  expect_schema("compare-1.json", json);
  const Json told = Json::parse(read_file(json))["conditions"][0];
  EXPECT_EQ(told["fails"], true);
  EXPECT_EQ(told["figures"][0]["basis"], "values");
}

TEST_F(Compare, RefusesFiguresThatDoNotExist) {
  const std::string report = simulate("a.json", {});
  expect_one_line(spillway({"compare", report, report, "--fail-if", "tok_pr_s<-5%"}), 2,
                  {"tok_pr_s", "did you mean 'tok_per_s'"});
  expect_one_line(spillway({"compare", report, report, "--fail-if", "perplexity>1%"}), 2, {"perplexity"});
  expect_one_line(spillway({"compare", report, report, "--figures", "hit_ratio,p98_ns"}), 2, {"'p98_ns'"});
}

TEST_F(Compare, SaysThatTheTracesDiffer) {
  const std::string first = simulate("first.json", {});
  const std::string second = scratch_ / "second.json";
  const std::string trace = scratch_ / "other.bin";
  ASSERT_EQ(spillway({"trace", "synth", "--layers", "4", "--experts", "16", "--top-k", "4", "--expert-bytes",
                      "64KiB", "--tokens", "60", "--seed", "8", "-o", trace})
                .status,
            0);
  ASSERT_EQ(spillway({"simulate", trace, "--cache", "1MiB", "--json", second}).status, 0);
  const Ran ran = spillway({"compare", first, second});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("warning: A and B ran different traces"), std::string::npos) << ran.out;
  EXPECT_EQ(compare({first, first})["warnings"].size(), 0U);
}

TEST_F(Compare, TablesThePointsOfASweepBySize) {
  Json experiment = small_experiment();
  experiment["sweep"] = {{"cache", {"2MB", "1MiB", "512KiB", "10MB"}}};
  experiment["plot"].erase("series");
  ASSERT_EQ(sweep(write(experiment), scratch_ / "one").status, 0);
  std::vector<std::string> points;
  const Json json = compare({scratch_ / "one", scratch_ / "one"});
  for (const Json& point : json["points"]) {
    points.push_back(point["point"]);
  }
  EXPECT_EQ(points, (std::vector<std::string>{"cache=512KiB", "cache=1MiB", "cache=2MB", "cache=10MB"}));
}

TEST_F(Compare, RefusesWhatCannotBeCompared) {
  const std::string report = simulate("a.json", {});
  expect_one_line(spillway({"compare", report}), 2, {report, "--a"});
  expect_one_line(spillway({"compare", report, scratch_ / "none.json"}), 1, {"none.json"});
  expect_one_line(spillway({"compare", report, trace_}), 1, {trace_});
  std::filesystem::create_directory(scratch_ / "empty");
  expect_one_line(spillway({"compare", report, scratch_ / "empty"}), 1, {"empty"});
  expect_one_line(spillway({"compare", report, report, "--a", "cache=1GB"}), 2, {report, "cache=1GB"});
  expect_one_line(spillway({"compare", report, report, "--confidence", "2"}), 2, {"--confidence"});
  const std::string mixed = folder_of("mixed", {1});
  std::filesystem::copy_file(simulate("other.json", {"--evict", "lfu"}), mixed + "/other.json");
  expect_one_line(spillway({"compare", report, mixed}), 2, {mixed, "configuration"});
  ASSERT_EQ(sweep(write(small_experiment()), scratch_ / "sweep").status, 0);
  expect_one_line(spillway({"compare", scratch_ / "sweep", "--a", "evict=lfu"}), 2,
                  {"evict=lru", "cache=large"});
  expect_one_line(spillway({"compare", scratch_.path(), report}), 2, {scratch_ / "sweep"});
}

}  // namespace
}  // namespace spillway::test
