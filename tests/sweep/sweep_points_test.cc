#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "app/sweep/points.h"
#include "tests/support/program.h"

// The runs that an experiment file expands to.
namespace spillway {
namespace {

class SweepPoints : public testing::Test {
 protected:
  std::string write(const std::string& text, const std::string& name = "experiment.json") const {
    std::ofstream(scratch_ / name) << text;
    return scratch_ / name;
  }

  // Reads an experiment with a schema, a question and the members in `more`.
  Experiment read(const std::string& more, const ExperimentOverrides& overrides = {}) const {
    const std::string file =
        write(R"({"schema": "spillway.experiment/1", "question": "Why?", )" + more + "}");
    Result<Experiment> experiment = read_experiment(file, overrides);
    EXPECT_TRUE(experiment.has_value()) << experiment.error().message;
    return experiment ? *experiment : Experiment();
  }

  static std::vector<PlannedRun> plan(const Experiment& experiment) {
    Result<std::vector<PlannedRun>> runs = plan_runs(experiment);
    EXPECT_TRUE(runs.has_value()) << runs.error().message;
    return runs ? *runs : std::vector<PlannedRun>();
  }

  std::vector<PlannedRun> plan(const std::string& more) const { return plan(read(more)); }

  // Returns the values of one option in the order of the runs.
  static std::vector<std::string> words(const std::vector<PlannedRun>& runs, const std::string& option) {
    std::vector<std::string> list;
    for (const PlannedRun& run : runs) {
      const auto found = run.command.options.find(option);
      list.push_back(found == run.command.options.end() ? "-"
                     : found->second.empty()            ? "on"
                                                        : fmt::format("{}", fmt::join(found->second, "+")));
    }
    return list;
  }

  test::TemporaryDirectory scratch_;
};

using Words = std::vector<std::string>;

constexpr const char* kTwoAxes =
    R"("base": {"command": "simulate"}, "sweep": {"cache": ["1GB", "2GB"], "depth": [1, 8]})";

TEST_F(SweepPoints, MultipliesTheAxesOutTheLastOneFastest) {
  const std::vector<PlannedRun> runs = plan(kTwoAxes);
  EXPECT_EQ(words(runs, "cache"), (Words{"1GB", "1GB", "2GB", "2GB"}));
  EXPECT_EQ(words(runs, "depth"), (Words{"1", "8", "1", "8"}));
  EXPECT_EQ(runs[1].point, (PointOf{{"cache", "\"1GB\""}, {"depth", "8"}}));
  EXPECT_EQ(runs[1].command.name, "simulate");
}

TEST_F(SweepPoints, HaveOneRunWithoutAxes) {
  EXPECT_EQ(plan(R"("base": {"command": "plan"})").size(), 1U);
}

TEST_F(SweepPoints, TakeOptionsInEveryForm) {
  const std::vector<PlannedRun> runs =
      plan(R"("base": {"command": "replay", "warm": true, "store": ["a", "b"], "tokens": 5, "depth": 3},
              "sweep": {"case": [{"label": "as it is"}, {"label": "other", "warm": false, "depth": null,
                                                         "tokens": 6}]})");
  EXPECT_EQ(words(runs, "warm"), (Words{"on", "-"}));
  EXPECT_EQ(words(runs, "store"), (Words{"a+b", "a+b"}));
  EXPECT_EQ(words(runs, "tokens"), (Words{"5", "6"}));
  EXPECT_EQ(words(runs, "case"), (Words{"-", "-"})) << "the axis itself is no option";
}

TEST_F(SweepPoints, FillInTheWordsThatTheExperimentDefines) {
  const std::vector<PlannedRun> runs = plan(R"("let": {"depth": 32, "where": "{made}/x"},
              "base": {"command": "replay", "backend": "uring:depth={depth}", "store": "{where}.bin"},
              "sweep": {"depth": [1, 8]})");
  EXPECT_EQ(words(runs, "backend"), (Words{"uring:depth=1", "uring:depth=8"}));
  EXPECT_EQ(words(runs, "store")[0], "{made}/x.bin") << "only the machine knows the place of {made}";
  EXPECT_EQ(words(runs, "depth")[0], "-") << "a word is no option";
  EXPECT_EQ(*fill_in("{a}{b}c{", {{"a", "{b}"}, {"b", "2"}}), "{b}2c{") << "a value is not filled in again";
  EXPECT_FALSE(fill_in("{nobody}", {}));
}

TEST_F(SweepPoints, TakeTurnsUnlessToldOtherwise) {
  const std::string axes = std::string(kTwoAxes) + R"(, "repetitions": 2)";
  const auto repetitions = [](const std::vector<PlannedRun>& runs) {
    std::vector<uint32_t> list;
    for (const PlannedRun& run : runs) {
      list.push_back(run.repetition);
    }
    return list;
  };
  const std::vector<PlannedRun> in_turns = plan(axes);
  EXPECT_EQ(repetitions(in_turns), (std::vector<uint32_t>{1, 1, 1, 1, 2, 2, 2, 2}));
  const std::vector<PlannedRun> in_sequence = plan(axes + R"(, "order": "sequential")");
  EXPECT_EQ(repetitions(in_sequence), (std::vector<uint32_t>{1, 2, 1, 2, 1, 2, 1, 2}));
  const std::vector<PlannedRun> shuffled = plan(axes + R"(, "order": "shuffled")");
  EXPECT_EQ(repetitions(shuffled), repetitions(in_turns));
  std::multiset<std::string> keys_of_shuffled;
  std::multiset<std::string> keys_in_turns;
  for (size_t i = 0; i < in_turns.size(); ++i) {
    keys_of_shuffled.insert(shuffled[i].key);
    keys_in_turns.insert(in_turns[i].key);
  }
  EXPECT_EQ(keys_of_shuffled, keys_in_turns) << "the runs differ with their order";
}

TEST_F(SweepPoints, ShuffleEachRoundAnew) {
  const std::vector<PlannedRun> runs =
      plan(R"("base": {"command": "simulate"}, "sweep": {"seed": [1, 2, 3, 4, 5, 6, 7, 8]},
              "repetitions": 2, "order": "shuffled")");
  const Words all = words(runs, "seed");
  const Words first(all.begin(), all.begin() + 8);
  const Words second(all.begin() + 8, all.end());
  EXPECT_NE(first, second);
  EXPECT_FALSE(std::is_sorted(first.begin(), first.end()));
  EXPECT_EQ(std::set<std::string>(first.begin(), first.end()).size(), 8U);
}

TEST_F(SweepPoints, HaveNamesThatDependOnWhatIsRunAndNotOnWhere) {
  const std::vector<PlannedRun> runs = plan(kTwoAxes);
  std::set<std::string> keys;
  for (const PlannedRun& run : runs) {
    keys.insert(run.key);
  }
  EXPECT_EQ(keys.size(), 4U);
  std::filesystem::create_directory(scratch_ / "elsewhere");
  const std::string moved =
      write(R"({"schema": "spillway.experiment/1", "question": "Why not?", )" + std::string(kTwoAxes) + "}",
            "elsewhere/renamed.json");
  EXPECT_EQ(plan(*read_experiment(moved, {}))[3].key, runs[3].key);
  const std::vector<PlannedRun> more =
      plan(R"("base": {"command": "simulate"}, "sweep": {"cache": ["2GB"], "depth": [8, 9]})");
  EXPECT_EQ(more[0].key, runs[3].key);
  EXPECT_FALSE(keys.contains(more[1].key));
  const std::vector<PlannedRun> made =
      plan(std::string(kTwoAxes) + R"(, "make": [{"command": "trace synth", "tokens": 3}])");
  EXPECT_FALSE(keys.contains(made[0].key)) << "the runs have other inputs";
}

TEST_F(SweepPoints, AreTheSameWithWordsWrittenOut) {
  const std::string one =
      plan(R"("let": {"size": "1GB"}, "base": {"command": "simulate", "cache": "{size}"})")[0].key;
  EXPECT_EQ(plan(R"("base": {"command": "simulate", "cache": "1GB"})")[0].key, one);
}

TEST_F(SweepPoints, TakeTheQuickSizeKeyByKeyAndAxisByAxis) {
  const Experiment quick = read(
      R"("let": {"tokens": 100, "layers": 4}, "make": [{"command": "trace synth", "tokens": "{tokens}"}],
         "base": {"command": "simulate", "cache": "1GB", "evict": "lru"}, "repetitions": 5,
         "sweep": {"depth": [1, 2, 4], "seed": [1, 2]},
         "quick": {"let": {"tokens": 10}, "base": {"evict": null}, "sweep": {"depth": [2]},
                   "repetitions": 1})",
      {.quick = true, .set = {}});
  const std::vector<PlannedRun> runs = plan(quick);
  EXPECT_EQ(words(runs, "depth"), (Words{"2", "2"}));
  EXPECT_EQ(words(runs, "seed"), (Words{"1", "2"}));
  EXPECT_EQ(words(runs, "evict"), (Words{"-", "-"}));
  EXPECT_EQ(plan_make(quick)->commands[0].options.at("tokens"), Words{"10"});
}

TEST_F(SweepPoints, RefuseAQuickSizeThatThereIsNot) {
  const std::string file =
      write(R"({"schema": "spillway.experiment/1", "question": "Why?", "base": {"command": "plan"}})");
  EXPECT_FALSE(read_experiment(file, {.quick = true, .set = {}}));
}

TEST_F(SweepPoints, AreSharedOutEvenlyWholeAndNotAlongAnAxis) {
  const std::vector<PlannedRun> runs = plan(R"("base": {"command": "simulate"}, "repetitions": 4,
              "sweep": {"cache": ["1GB", "2GB", "4GB", "8GB", "9GB"], "evict": ["lru", "lfu"]})");
  ASSERT_EQ(runs.size(), 40U);
  for (const uint32_t count : {1U, 2U, 3U, 7U, 40U, 50U}) {
    SCOPED_TRACE(count);
    std::multiset<std::string> keys;
    for (uint32_t index = 1; index <= count; ++index) {
      const std::vector<PlannedRun> part = part_of(runs, {index, count});
      EXPECT_GE(part.size(), runs.size() / count);
      EXPECT_LE(part.size(), (runs.size() + count - 1) / count);
      for (const PlannedRun& run : part) {
        keys.insert(run.key);
      }
    }
    EXPECT_EQ(keys.size(), runs.size());
    EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), runs.size());
  }
  // If each machine took every other run, one would have all runs of lru and the other all of lfu.
  const Words policies = words(part_of(runs, {1, 2}), "evict");
  EXPECT_GT(std::count(policies.begin(), policies.end(), "lru"), 4);
  EXPECT_GT(std::count(policies.begin(), policies.end(), "lfu"), 4);
}

TEST_F(SweepPoints, AreSharedOutByShardsThatExist) {
  EXPECT_EQ(parse_shard("2/8")->index, 2U);
  EXPECT_EQ(parse_shard("2/8")->count, 8U);
  for (const char* bad : {"", "/", "1", "0/2", "3/2", "1/0", "-1/2", "1/2/3", "a/b"}) {
    EXPECT_FALSE(parse_shard(bad)) << bad;
  }
}

TEST(CommandWriter, SpellsOptionsAsTheCommandTakesThem) {
  const RunCommand command{
      "trace synth",
      {{"tokens", {"5"}}, {"output", {"{made}/t.bin"}}, {"force", {}}, {"model", {"qwen3-30b-a3b"}}}};
  CommandWriter writer;
  EXPECT_EQ(*writer.words(command, {{"made", "/tmp/x"}}),
            (Words{"trace", "synth", "--force", "--model", "qwen3-30b-a3b", "--output", "/tmp/x/t.bin",
                   "--tokens", "5"}));
  const RunCommand simulate{"simulate", {{"trace", {"t.bin"}}, {"cache", {"0"}}}};
  EXPECT_EQ(*writer.words(simulate, {}), (Words{"simulate", "t.bin", "--cache", "0"}));
}

TEST(CommandWriter, RefusesWhatTheCommandWouldRefuse) {
  CommandWriter writer;
  const auto refusal = [&](const RunCommand& command) {
    const Result<Words> words = writer.words(command, {});
    return words ? "" : words.error().message;
  };
  EXPECT_NE(refusal({"simulate", {{"trace", {"t"}}, {"cache", {"0"}}, {"wings", {"2"}}}}).find("wings"),
            std::string::npos);
  EXPECT_NE(refusal({"simulate", {{"trace", {"t"}}, {"cache", {"much"}}}}).find("much"), std::string::npos);
  EXPECT_NE(refusal({"simulate", {{"cache", {"0"}}}}).find("trace"), std::string::npos);
  EXPECT_NE(refusal({"trace fly", {}}).find("fly"), std::string::npos);
  EXPECT_EQ(refusal({"simulate", {{"trace", {"t"}}, {"cache", {"0"}}}}), "") << "after all these";
}

}  // namespace
}  // namespace spillway
