// Tests replay and simulate with several values and several runs as a user runs them.
#include <fstream>
#include <sstream>

#include "tests/support/sweep_lab.h"

namespace spillway::test {
namespace {

class Repeat : public SweepLab {
 protected:
  // The words of a simulation of the bundled trace, whose experts have 6.9 kB each.
  static std::vector<std::string> simulation(std::vector<std::string> more) {
    std::vector<std::string> words = {"simulate", SPILLWAY_SOURCE_DIR "/bundled/tiny-moe.trace.bin",
                                      "--tokens", "50", "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  static std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> list;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
      list.push_back(line);
    }
    return list;
  }
};

TEST_F(Repeat, TablesEveryCombinationOnOneLineEach) {
  const Ran ran =
      spillway(simulation({"--cache", "1MB,500kB", "--evict", "lru,wtinylfu:window=0.02,protect=0.7"}));
  ASSERT_EQ(ran.status, 0) << ran.err;
  const std::vector<std::string> table = lines(ran.out);
  ASSERT_EQ(table.size(), 5U) << ran.out;
  EXPECT_NE(table[0].find("cache"), std::string::npos);
  EXPECT_NE(table[1].find("1MB"), std::string::npos);
  EXPECT_NE(table[2].find("wtinylfu:window=0.02,protect=0.7"), std::string::npos);
  EXPECT_NE(table[3].find("500kB"), std::string::npos);
  EXPECT_EQ(ran.out.find("±"), std::string::npos) << "one run has no error";
  EXPECT_EQ(ran.out.find("interval"), std::string::npos);
}

TEST_F(Repeat, GivesRepetitionsOtherSeedsAndTheirMeanAnInterval) {
  const std::string file = scratch_ / "runs.json";
  const Ran ran =
      spillway(simulation({"--cache", "1MB", "--evict", "random", "--runs", "4", "--json", file}));
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("±"), std::string::npos) << ran.out;
  const Json runs = Json::parse(read_file(file));
  ASSERT_EQ(runs["runs"].size(), 4U);
  double sum = 0;
  for (const Json& run : runs["runs"]) {
    EXPECT_EQ(run["result"]["seed"], run["repetition"]) << "the default seed is 1";
    sum += run["result"]["gap"]["achieved_tok_per_s"].get<double>();
  }
  const Json speed = runs["points"][0]["figures"][0];
  EXPECT_EQ(speed["name"], "tok_per_s");
  EXPECT_NEAR(speed["mean"].get<double>(), sum / 4, 1e-6);
  EXPECT_LT(speed["low"].get<double>(), speed["mean"].get<double>());
  EXPECT_GT(speed["high"].get<double>(), speed["mean"].get<double>());
  expect_schema("runs-1.json", file);
}

TEST_F(Repeat, LeavesTheReportOfASingleRunAsItIs) {
  const Ran one = spillway(simulation({"--cache", "1MB", "--runs", "1", "--format", "table"}));
  const Ran plain = spillway(simulation({"--cache", "1MB"}));
  EXPECT_EQ(one.status, 0) << one.err;
  EXPECT_NE(plain.out.find("hit ratio"), std::string::npos);
  EXPECT_EQ(one.out, plain.out);
}

TEST_F(Repeat, WritesCsvMarkdownAndJson) {
  const std::vector<std::string> runs = {"--cache", "1MB", "--evict", "lru,wtinylfu:window=0.02,protect=0.7"};
  const auto in = [&](const std::string& form) {
    std::vector<std::string> words = simulation(runs);
    words.insert(words.end(), {"--format", form});
    const Ran ran = spillway(words);
    EXPECT_EQ(ran.status, 0) << ran.err;
    return ran.out;
  };
  const std::vector<std::string> csv = lines(in("csv"));
  ASSERT_EQ(csv.size(), 3U);
  EXPECT_TRUE(csv[0].starts_with("evict,tok_per_s,")) << csv[0];
  EXPECT_TRUE(csv[2].starts_with("\"wtinylfu:window=0.02,protect=0.7\",")) << csv[2];
  EXPECT_TRUE(csv[1].ends_with(",,,1,0")) << "no interval of one run: " << csv[1];
  const std::vector<std::string> markdown = lines(in("markdown"));
  ASSERT_EQ(markdown.size(), 4U);
  EXPECT_TRUE(markdown[0].starts_with("| evict | tok/s |")) << markdown[0];
  EXPECT_TRUE(markdown[1].starts_with("|---|---:|")) << markdown[1];
  const Json json = Json::parse(in("json"), nullptr, false);
  EXPECT_EQ(json["schema"], "spillway.runs/1");
  EXPECT_EQ(json["points"].size(), 2U);
  EXPECT_FALSE(json.contains("runs"));
}

TEST_F(Repeat, IsReadByCompareAndReport) {
  const std::string file = scratch_ / "runs.json";
  ASSERT_EQ(spillway(simulation({"--cache", "10MB,1MB,500kB", "--evict", "lru,random", "--runs", "2",
                                 "--json", file}))
                .status,
            0);
  const Ran parts = spillway({"compare", file, "--a", "evict=lru", "--b", "evict=random", "--json", "-"});
  ASSERT_EQ(parts.status, 0) << parts.err;
  const Json compared = Json::parse(parts.out);
  ASSERT_EQ(compared["points"].size(), 3U);
  EXPECT_EQ(compared["points"][0]["point"], "cache=500kB");
  EXPECT_EQ(compared["points"][2]["point"], "cache=10MB");
  EXPECT_EQ(compared["points"][1]["figures"][0]["b"]["runs"], 2);
  EXPECT_EQ(spillway({"compare", file, file, "--fail-if", "tok_per_s<-1%"}).status, 0);
  expect_one_line(spillway({"compare", file, "--a", "evict=lfu"}), 2, {"evict=lru", "cache=1MB"});
  const std::string page = scratch_ / "page.html";
  ASSERT_EQ(spillway({"report", file, "-o", page, "--plots", scratch_.path()}).status, 0);
  EXPECT_NE(read_file(page).find("500kB"), std::string::npos);
  std::ofstream(scratch_ / "none.json")
      << R"({"schema":"spillway.runs/1","runs":[],"command_line":"x","axes":[]})";
  expect_one_line(spillway({"compare", scratch_ / "none.json", file}), 1, {"none.json", "no run"});
  std::ofstream(scratch_ / "bad.json") << R"({"schema":"spillway.runs/1","runs":[3]})";
  expect_one_line(spillway({"compare", scratch_ / "bad.json", file}), 1, {"bad.json"});
}

TEST_F(Repeat, RunsEveryBackendOnOneStoreInTurn) {
  const std::string file = scratch_ / "runs.json";
  const Ran ran = spillway({"replay", SPILLWAY_SOURCE_DIR "/bundled/tiny-moe.trace.bin", "--tokens", "30",
                            "--cache", "1MB", "--backend", "pread:direct=0,mmap", "--runs", "3", "--no-probe",
                            "--store", scratch_.path(), "--json", file});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json runs = Json::parse(read_file(file))["runs"];
  ASSERT_EQ(runs.size(), 6U);
  for (const Json& run : runs) {
    EXPECT_EQ(run["result"]["digest"], runs[0]["result"]["digest"]) << "all make the same decisions";
    EXPECT_EQ(run["result"]["run"]["store"]["files"], runs[0]["result"]["run"]["store"]["files"]);
  }
  const size_t last_of_first_round = ran.err.find("run 2 of 6, backend=mmap");
  const size_t first_again = ran.err.find("run 3 of 6, backend=pread:direct=0");
  ASSERT_NE(last_of_first_round, std::string::npos) << ran.err;
  ASSERT_NE(first_again, std::string::npos) << ran.err;
  EXPECT_LT(last_of_first_round, first_again);
}

TEST_F(Repeat, RefusesWhatItCannotRunBeforeAnythingRuns) {
  const auto refused = [](const std::vector<std::string>& words, const std::vector<std::string>& parts) {
    expect_one_line(spillway(simulation(words)), 2, parts);
  };
  refused({"--cache", "1MB,1kB"}, {"--cache 1kB", "55.3 kB"});
  refused({"--cache", "1MB,1MB"}, {"1MB", "twice"});
  refused({"--cache", "1MB,"}, {"'1MB,'"});
  refused({"--cache", "1MB", "--evict", "lru,lfuu"}, {"did you mean 'lfu'"});
  refused({"--cache", "1MB", "--evict", "lru,,lfu"}, {"lru,,lfu"});
  refused({"--cache", "1MB", "--runs", "0"}, {"--runs"});
  refused({"--cache", "1MB", "--runs", "2", "--timeline", scratch_ / "t.json"}, {"--timeline"});
  refused({"--cache", "1MB", "--format", "xml"}, {"xml"});
  // Commands that make one run take one value.
  expect_one_line(spillway({"replay", SPILLWAY_SOURCE_DIR "/bundled/tiny-moe.trace.bin", "--cache", "1MB",
                            "--runs", "2", "--watch-drive", scratch_ / "w.json"}),
                  2, {"--watch-drive"});
  expect_one_line(spillway({"gap", SPILLWAY_SOURCE_DIR "/bundled/tiny-moe.trace.bin", "--cache", "1MB,2MB"}),
                  2, {"1MB,2MB"});
}

}  // namespace
}  // namespace spillway::test
