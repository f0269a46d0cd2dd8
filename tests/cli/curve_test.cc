#include <gtest/gtest.h>

#include <cmath>

#include "core/json.h"
#include "tests/support/program.h"

// The output of `spillway curve` other than the hit ratios, which cli_test.cc and
// published_curves_test.cc check.
namespace spillway::test {
namespace {

class Curve : public testing::Test {
 protected:
  void SetUp() override {
    const Ran made =
        spillway({"trace", "synth", "--layers", "6", "--experts", "32", "--top-k", "4", "--expert-bytes",
                  "64KiB", "--tokens", "300", "--prefill", "12", "--reuse", "0.4", "-o", trace_});
    ASSERT_EQ(made.status, 0) << made.err;
  }

  Json curve(std::vector<std::string> more) {
    std::vector<std::string> arguments = {"curve", trace_, "--json", "-"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Ran ran = spillway(arguments);
    EXPECT_EQ(ran.status, 0) << ran.err;
    return Json::parse(ran.out);
  }

  TemporaryDirectory scratch_;
  std::string trace_ = scratch_ / "trace.bin";
};

TEST_F(Curve, HasLruAtEverySizeAsItsPointsHaveIt) {
  for (const char* semantics : {"step", "request"}) {
    const Json json =
        curve({"--policy", "lru", "--cache", "2MiB,3MiB,5MiB,7.3MiB,12MiB", "--semantics", semantics});
    EXPECT_EQ(json["semantics"], semantics);
    for (const Json& point : json["points"]) {
      Json last;
      for (const Json& each : json["lru_curve"]) {
        if (each["cache_bytes"] <= point["cache_bytes"]) {
          last = each;
        }
      }
      EXPECT_EQ(last["hits"], point["hits"]) << semantics << " " << point["cache_bytes"];
      EXPECT_EQ(last["hits_decode"], point["hits_decode"]);
      EXPECT_EQ(last["hit_ratio_decode"], point["hit_ratio_decode"]);
    }
  }
}

// With `halve_every` beyond the trace's end, the policy decides the same, but only the pager can run it.
TEST_F(Curve, CountsTheSameOnBothWays) {
  for (const char* semantics : {"step", "request"}) {
    const Json json = curve(
        {"--policy", "lfu,lfu:halve_every=1000000", "--cache", "1MiB,4MiB,9MiB", "--semantics", semantics});
    ASSERT_EQ(json["points"].size(), 6U);
    for (size_t i = 0; i < 3; ++i) {
      Json fast = json["points"][i];
      fast["policy"] = json["points"][i + 3]["policy"];
      EXPECT_EQ(fast, json["points"][i + 3]) << semantics;
    }
  }
}

TEST_F(Curve, TakesMissesApart) {
  const Json json = curve({"--policy", "lru,fifo,random,belady"});
  ASSERT_GT(json["points"].size(), 16U);
  for (const Json& point : json["points"]) {
    const Json& misses = point["misses"];
    EXPECT_EQ(misses["first_use"], json["first_uses"]["all"]);
    EXPECT_EQ(misses["first_use"].get<int64_t>() + misses["working_set"].get<int64_t>() +
                  misses["policy"].get<int64_t>(),
              point["accesses"].get<int64_t>() - point["hits"].get<int64_t>());
    EXPECT_GE(misses["policy"], 0) << "experts are of one size, so nothing beats Belady's rule";
    if (point["policy"] == "belady") {
      EXPECT_EQ(misses["policy"], 0);
    }
  }
}

TEST_F(Curve, KnowsEveryLayer) {
  const Json json = curve({"--policy", "lru", "--cache", "6MiB"});
  const Json& point = json["points"][0];
  const Json& layers = json["lru_curve_by_layer"]["layers"];
  ASSERT_EQ(layers.size(), 6U);
  double hits = 0;
  uint64_t accesses = 0;
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    hits += point["hit_ratio_by_layer"][layer].get<double>() * layers[layer]["accesses"].get<double>();
    accesses += layers[layer]["accesses"].get<uint64_t>();
    ASSERT_EQ(layers[layer]["hits"].size(), json["lru_curve_by_layer"]["cache_bytes"].size());
  }
  EXPECT_EQ(std::llround(hits), point["hits"]);
  EXPECT_EQ(accesses, point["accesses"]);
  uint64_t last = 0;
  for (const Json& layer : layers) {
    last += layer["hits"].back().get<uint64_t>();
  }
  EXPECT_EQ(last, accesses - json["first_uses"]["all"].get<uint64_t>());
}

TEST_F(Curve, ThinsTheCurveToAsManyPointsAsAreWished) {
  const Json whole = curve({})["lru_curve"];
  ASSERT_GT(whole.size(), 20U);
  const Json thin = curve({"--points", "5"})["lru_curve"];
  ASSERT_EQ(thin.size(), 5U);
  EXPECT_EQ(thin.front(), whole.front());
  EXPECT_EQ(thin.back(), whole.back());
  for (const Json& point : thin) {
    EXPECT_NE(std::find(whole.begin(), whole.end(), point), whole.end());
  }
  EXPECT_EQ(curve({"--points", "100000"})["lru_curve"], whole);
}

TEST_F(Curve, MarksTheCliffTheKneeAndTheFloor) {
  const Ran ran = spillway({"curve", trace_});
  ASSERT_EQ(ran.status, 0) << ran.err;
  for (const char* word : {"one token cycle", "knee", "cliff", "floor", "first uses", "why lru misses"}) {
    EXPECT_NE(ran.out.find(word), std::string::npos) << word << " is not in\n" << ran.out;
  }
  const Json json = curve({});
  EXPECT_GT(json["knee"]["cache_bytes"], json["token_cycle_bytes"]);
}

TEST_F(Curve, RefusesSemanticsThatThereAreNone) {
  const Ran ran = spillway({"curve", trace_, "--semantics", "token"});
  EXPECT_EQ(ran.status, 2);
  EXPECT_NE(ran.err.find("request"), std::string::npos) << ran.err;
  EXPECT_EQ(spillway({"curve", trace_, "--points", "1"}).status, 2);
}

TEST_F(Curve, WritesWhatItsSchemaSays) {
  if (std::system("python3 -c 'import jsonschema' 2>/dev/null") != 0) {
    GTEST_SKIP() << "python3-jsonschema is not installed";
  }
  const std::string root = SPILLWAY_SOURCE_DIR;
  const std::string json = scratch_ / "curve.json";
  ASSERT_EQ(spillway({"curve", trace_, "--semantics", "request", "--json", json}).status, 0);
  const Ran checked = Program({"/usr/bin/env", "python3", root + "/tests/cli/check_schema.py",
                               root + "/share/schema/curve-1.json", json})
                          .wait();
  EXPECT_EQ(checked.status, 0) << checked.err;
}

}  // namespace
}  // namespace spillway::test
