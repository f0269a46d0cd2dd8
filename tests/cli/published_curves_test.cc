#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "core/json.h"
#include "tests/support/program.h"
#include "tests/support/recorded.h"

namespace spillway::test {
namespace {

// The recording project's own replays of its two traces: hit percentages by policy and cache size, computed
// by an independent implementation. Spillway's pager must reach the same with the same policies.
struct Published {
  uint64_t cache_bytes = 0;
  std::string policy;
  double hit_percent = 0;
  double hit_percent_decode = 0;
};

std::vector<Published> read_published(const std::string& path) {
  std::vector<Published> rows;
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    std::string mib, policy, all, decode;
    std::getline(fields, mib, ',');
    std::getline(fields, policy, ',');
    std::getline(fields, all, ',');
    std::getline(fields, decode, ',');
    if (policy == "lru" || policy == "lfu" || policy == "belady") {
      rows.push_back({std::stoull(mib) << 20, policy, std::stod(all), std::stod(decode)});
    }
  }
  return rows;
}

void expect_published_curve(const std::string& model) {
  SPILLWAY_NEEDS_RECORDED("bigmoe-" + model + ".curve.csv");
  const std::string stem = recorded("bigmoe-" + model);
  const std::vector<Published> rows = read_published(stem + ".curve.csv");
  ASSERT_EQ(rows.size(), 33U);
  const TemporaryDirectory scratch;
  const std::string trace = scratch / "trace.bin";
  const Ran imported = spillway({"trace", "import", stem + ".route.csv", "-o", trace});
  ASSERT_EQ(imported.status, 0) << imported.err;
  const Ran ran =
      spillway({"curve", trace, "--policy", "lru,lfu,belady", "--cache",
                "250MiB,500MiB,750MiB,1000MiB,1500MiB,2000MiB,2500MiB,3000MiB,4000MiB,6000MiB,8000MiB",
                "--json", "-"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json points = Json::parse(ran.out)["points"];
  ASSERT_EQ(points.size(), rows.size());
  for (const Published& row : rows) {
    // All figures match to the last printed digit except two: LFU and Belady on Gemma at 250 MiB, where a
    // prefill step's experts do not fit (264.7 MiB). The publisher lets the cache grow beyond its budget for
    // that step. Spillway reads the surplus without keeping it, and its policy does not see those experts.
    const bool surplus = model == "gemma" && row.policy != "lru" && row.cache_bytes == 250U << 20;
    const double tolerance = surplus ? 0.01 : 0.00051;
    bool found = false;
    for (const Json& point : points) {
      if (point["policy"] == row.policy && point["cache_bytes"] == row.cache_bytes) {
        found = true;
        EXPECT_NEAR(100 * point["hit_ratio"].get<double>(), row.hit_percent, tolerance)
            << row.policy << " at " << row.cache_bytes;
        EXPECT_NEAR(100 * point["hit_ratio_decode"].get<double>(), row.hit_percent_decode, tolerance)
            << row.policy << " at " << row.cache_bytes;
      }
    }
    EXPECT_TRUE(found) << row.policy << " at " << row.cache_bytes;
  }
}

TEST(PublishedCurves, AreReproducedForQwen3OnThePhone) {
  expect_published_curve("qwen");
}
TEST(PublishedCurves, AreReproducedForGemma4OnThePhone) {
  expect_published_curve("gemma");
}

}  // namespace
}  // namespace spillway::test
