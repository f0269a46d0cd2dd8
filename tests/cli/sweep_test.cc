#include <functional>
#include <thread>

#include "tests/support/sweep_lab.h"

namespace spillway::test {
namespace {

namespace fs = std::filesystem;

std::string last_line(const std::string& text) {
  const size_t end = text.find_last_not_of('\n');
  const size_t begin = text.find_last_of('\n', end) + 1;
  return text.substr(begin, end + 1 - begin);
}

class Sweep : public SweepLab {
 protected:
  std::string out_ = scratch_ / "out";
};

TEST_F(Sweep, RunsEveryPointAsOftenAsAskedAndKeepsItsReport) {
  const Ran ran = sweep(write(small_experiment()), out_);
  ASSERT_EQ(ran.status, 0) << ran.err;
  const std::map<std::string, Json> results = results_in(out_);
  ASSERT_EQ(results.size(), 8U);
  std::map<std::string, int> points;
  for (const auto& [name, result] : results) {
    EXPECT_EQ(result["status"], "done") << result["error"];
    ++points[result["point"].dump() + result["repetition"].dump()];
    const Json& report = result["result"];
    EXPECT_EQ(report["schema"], "spillway.report/1");
    EXPECT_EQ(report["seed"], result["repetition"]);
    EXPECT_EQ(report["config"]["evict"], result["point"]["evict"]);
    EXPECT_EQ(report["config"]["cache_bytes"], result["point"]["cache"] == "large" ? "2097152" : "524288");
  }
  EXPECT_EQ(points.size(), 8U);
  EXPECT_NE(ran.out.find("Which policy hits more?"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("large"), std::string::npos) << ran.out;
  EXPECT_NE(ran.err.find("[8/8]"), std::string::npos) << ran.err;
  const Json experiment = Json::parse(read_file(out_ + "/experiment.json"));
  EXPECT_EQ(experiment["question"], "Which policy hits more?");
  EXPECT_EQ(experiment["size"], "full");
}

TEST_F(Sweep, WritesWhatTheSchemasSay) {
  Json experiment = small_experiment();
  experiment["sweep"]["evict"] = {"lru", "s3fifo:small=2"};
  ASSERT_EQ(sweep(write(experiment), out_).status, 1);
  expect_schema("experiment-1.json", out_ + "/experiment.json");
  for (const auto& [name, result] : results_in(out_)) {
    expect_schema("point-1.json", out_ + "/points/" + name + ".json");
  }
}

TEST_F(Sweep, RunsOnlyWhatIsNotThereYet) {
  const std::string file = write(small_experiment());
  ASSERT_EQ(sweep(file, out_).status, 0);
  const std::map<std::string, Json> first = results_in(out_);
  const std::string lost = out_ + "/points/" + first.begin()->first + ".json";
  const std::string broken = out_ + "/points/" + first.rbegin()->first + ".json";
  fs::remove(lost);
  std::ofstream(broken) << "{\"schema\": \"spillw";
  const Ran again = sweep(file, out_);
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(std::count(again.err.begin(), again.err.end(), '['), 2) << again.err;
  EXPECT_EQ(again.err.find("making"), std::string::npos) << again.err;
  EXPECT_EQ(lasting(results_in(out_)), lasting(first));
}

TEST_F(Sweep, WarnsOfResultsThatAnotherVersionMade) {
  const std::string file = write(small_experiment());
  ASSERT_EQ(sweep(file, out_).status, 0);
  EXPECT_EQ(sweep(file, out_).err.find("version"), std::string::npos);
  const auto [name, result] = *results_in(out_).begin();
  Json other = result;
  other["result"]["run"]["commit"] = "0123456789ab";
  std::ofstream(out_ + "/points/" + name + ".json") << other.dump();
  const Ran again = sweep(file, out_);
  EXPECT_EQ(again.status, 0);
  EXPECT_NE(again.err.find("1 of the existing results are from another version"), std::string::npos)
      << again.err;
  EXPECT_NE(again.err.find("0123456789ab"), std::string::npos) << again.err;
}

// The sweep is killed at each given number of results and started again.
TEST_F(Sweep, ComesToTheSameResultsHoweverOftenItIsKilled) {
  const std::string file = write(small_experiment());
  ASSERT_EQ(sweep(file, scratch_ / "undisturbed").status, 0);
  for (size_t wanted = 0; wanted < 7; wanted += 2) {
    Program program({SPILLWAY_BINARY, "sweep", file, "-o", out_});
    while (count_results(out_) < wanted && fs::exists("/proc/" + std::to_string(program.pid()) + "/exe")) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    program.signal(SIGKILL);
    EXPECT_EQ(program.wait().status, 128 + SIGKILL);
    EXPECT_LT(count_results(out_), 8U);
  }
  const std::map<std::string, Json> before = lasting(results_in(out_));
  EXPECT_GE(before.size(), 6U);
  const Ran last = sweep(file, out_);
  ASSERT_EQ(last.status, 0) << last.err;
  EXPECT_EQ(lasting(results_in(out_)), lasting(results_in(scratch_ / "undisturbed")));
}

TEST_F(Sweep, EndsOnCtrlCWithItsRunAndGoesOnLater) {
  Json experiment = small_experiment();
  // Paced in real time: one run takes seconds.
  experiment["base"] = {{"command", "replay"},
                        {"trace", "{made}/trace.bin"},
                        {"backend", "null"},
                        {"compute", "40ms"},
                        {"store", "{stores}"}};
  Program program({SPILLWAY_BINARY, "sweep", write(experiment), "-o", out_});
  while (!fs::exists(out_ + "/made") && fs::exists("/proc/" + std::to_string(program.pid()) + "/exe")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  program.signal(SIGINT);
  const Ran ran = program.wait();
  EXPECT_EQ(ran.status, 1);
  EXPECT_NE(ran.err.find("interrupted"), std::string::npos) << ran.err;
  EXPECT_EQ(count_results(out_), 0U) << "half a run is no result";
  const Ran later = sweep(write(small_experiment()), out_);
  EXPECT_EQ(later.status, 0) << later.err;
}

TEST_F(Sweep, ShardsTogetherAreTheWhole) {
  const std::string file = write(small_experiment());
  ASSERT_EQ(sweep(file, scratch_ / "whole").status, 0);
  ASSERT_EQ(sweep(file, out_, {"--shard", "1/3"}).status, 0);
  const size_t first = count_results(out_);
  EXPECT_GE(first, 2U);
  EXPECT_LE(first, 3U);
  // The other two at once, with a folder in common.
  Program second({SPILLWAY_BINARY, "sweep", file, "-o", out_, "--shard", "2/3"});
  Program third({SPILLWAY_BINARY, "sweep", file, "-o", out_, "--shard", "3/3"});
  EXPECT_EQ(second.wait().status, 0);
  EXPECT_EQ(third.wait().status, 0);
  EXPECT_EQ(lasting(results_in(out_)), lasting(results_in(scratch_ / "whole")));
}

TEST_F(Sweep, RecordsAFailureAndGoesOn) {
  Json experiment = small_experiment();
  experiment["sweep"]["evict"] = {"lru", "s3fifo:small=2"};
  const std::string file = write(experiment);
  const Ran ran = sweep(file, out_);
  EXPECT_EQ(ran.status, 1) << ran.err;
  EXPECT_NE(ran.err.find("4 of 8 runs failed; the first: s3fifo"), std::string::npos) << ran.err;
  size_t failures = 0;
  for (const auto& [name, result] : results_in(out_)) {
    const bool bad = result["point"]["evict"] == "s3fifo:small=2";
    EXPECT_EQ(result["status"], bad ? "failed" : "done");
    EXPECT_EQ(result["exit_status"], bad ? 2 : 0);
    failures += bad ? 1 : 0;
    if (bad) {
      EXPECT_NE(result["error"].get<std::string>().find("s3fifo: small is 2"), std::string::npos);
      EXPECT_TRUE(result["result"].is_null());
    }
  }
  EXPECT_EQ(failures, 4U);
  EXPECT_NE(ran.out.find("4 of 8 runs failed"), std::string::npos) << ran.out;
  EXPECT_EQ(sweep(file, out_).err.find('['), std::string::npos) << "a failed run was repeated unasked";
  const Ran retried = sweep(file, out_, {"--retry"});
  EXPECT_EQ(std::count(retried.err.begin(), retried.err.end(), '['), 4) << retried.err;
}

TEST_F(Sweep, RefusesAPlugInThatThereIsNotBeforeItRunsAnything) {
  Json experiment = small_experiment();
  experiment["sweep"]["evict"] = {"lru", "no-such-policy"};
  const Ran ran = sweep(write(experiment), out_);
  EXPECT_EQ(ran.status, 2);
  EXPECT_NE(ran.err.find("there is no eviction policy 'no-such-policy'"), std::string::npos) << ran.err;
  EXPECT_FALSE(std::filesystem::exists(out_ + "/points"));
}

TEST_F(Sweep, RecordsWhatIsNotAvailableAsThat) {
  Json experiment = small_experiment();
  experiment["base"] = {{"command", "replay"},
                        {"trace", "{made}/trace.bin"},
                        {"backend", "pread:direct=0"},
                        {"cache", "1MiB"},
                        {"no-probe", true}};
  // /dev/shm is memory: it has no drive whose reads could be limited.
  experiment["sweep"] = {{"throttle", {"1GB/s"}}, {"store", {"/dev/shm"}}};
  experiment["repetitions"] = 1;
  const Ran none = sweep(write(experiment), out_);
  EXPECT_EQ(none.status, 0) << none.err;
  EXPECT_EQ(last_line(none.out).find("0 of 1 questions answered; experiment needs what is not available"), 0U)
      << none.out;
  experiment["sweep"]["throttle"] = {"1GB/s", nullptr};
  const Ran some = sweep(write(experiment), out_);
  EXPECT_EQ(some.status, 0) << some.err;
  EXPECT_EQ(
      last_line(some.out).find("1 of 1 questions answered; experiment only in part (1 of 2 runs were not "),
      0U)
      << some.out;
  EXPECT_NE(some.out.find("1 of 2 runs were not available here"), std::string::npos) << some.out;
  for (const auto& [name, result] : results_in(out_)) {
    EXPECT_EQ(result["status"], result["point"]["throttle"].is_null() ? "done" : "unavailable")
        << result["error"];
    expect_schema("point-1.json", out_ + "/points/" + name + ".json");
  }
}

TEST_F(Sweep, SaysWhichQuestionsAreAnsweredAndWhatTheOthersNeed) {
  Json impossible = small_experiment();
  impossible["base"] = {{"command", "replay"}, {"trace", "{made}/trace.bin"}, {"backend", "pread:direct=0"},
                        {"cache", "1MiB"},     {"store", "/dev/shm"},         {"no-probe", true},
                        {"throttle", "1GB/s"}};
  impossible["sweep"] = {{"evict", {"lru"}}};
  const std::string one = write(impossible, "one.json");
  const std::string two = write(small_experiment(), "two.json");
  const Ran ran = spillway({"sweep", one, two, "--quick", "-o", out_});
  EXPECT_EQ(ran.status, 0) << ran.err;
  const std::string line = last_line(ran.out);
  EXPECT_EQ(line.find("1 of 2 questions answered; one needs what is not available here: "), 0U) << ran.out;
  EXPECT_NE(line.find("see " + out_ + "/one"), std::string::npos) << line;
  const Ran all = spillway({"sweep", two, write(small_experiment(), "three.json"), "--quick", "-o", out_});
  EXPECT_EQ(last_line(all.out), "2 of 2 questions answered") << all.out << all.err;
}

TEST_F(Sweep, HasABarAndNoLineARunOnATerminal) {
  if (::access("/usr/bin/script", X_OK) != 0) {
    GTEST_SKIP() << "no script(1), which gives a program a terminal";
  }
  const std::string line =
      std::string(SPILLWAY_BINARY) + " sweep " + write(small_experiment()) + " -o " + out_;
  const Ran ran =
      Program({"/bin/sh", "-c", "/usr/bin/script -qec '" + line + "' /dev/null </dev/null"}).wait();
  EXPECT_EQ(ran.status, 0) << ran.out;
  EXPECT_NE(ran.out.find("experiment ["), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find(" of 8"), std::string::npos) << ran.out;
  EXPECT_EQ(ran.out.find("[8/8]"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("8 runs"), std::string::npos) << "the table is missing: " << ran.out;
}

TEST_F(Sweep, AnnouncesTheStoresOfItsRunsAndRemovesThem) {
  Json experiment = small_experiment();
  experiment["base"] = {{"command", "replay"}, {"trace", "{made}/trace.bin"}, {"backend", "pread:direct=0"},
                        {"cache", "1MiB"},     {"store", "{stores}"},         {"no-probe", true}};
  experiment["sweep"] = {{"evict", {"lru"}}};
  const std::string file = write(experiment);
  const Ran ran = sweep(file, out_, {"--quick"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  for (const char* part : {"make their stores in", "--keep-stores", "makes a store of ", "removed 6."}) {
    EXPECT_NE(ran.err.find(part), std::string::npos) << part << " is not in: " << ran.err;
  }
  EXPECT_FALSE(fs::exists(out_ + "/stores"));
  EXPECT_EQ(sweep(file, out_, {"--quick"}).err.find("store"), std::string::npos) << "nothing was left to run";

  const std::string kept = scratch_ / "kept";
  const Ran keeps = sweep(file, kept, {"--quick", "--keep-stores"});
  EXPECT_NE(keeps.err.find("spillway cache clean --dir " + kept + "/stores"), std::string::npos) << keeps.err;
  EXPECT_FALSE(fs::is_empty(kept + "/stores"));
  // A user's own file in the folder stays, and so does the folder.
  std::ofstream(kept + "/stores/notes") << "mine";
  ASSERT_EQ(sweep(file, kept, {"--quick", "--set", "evict=lru,fifo"}).status, 0);
  EXPECT_EQ(std::distance(fs::directory_iterator(kept + "/stores"), fs::directory_iterator()), 1);
}

TEST_F(Sweep, FailsWhereEveryRunDoes) {
  Json experiment = small_experiment();
  experiment["sweep"]["evict"] = {"s3fifo:small=2"};
  const Ran ran = sweep(write(experiment), out_);
  EXPECT_EQ(ran.status, 1);
  EXPECT_NE(ran.err.find("every run failed"), std::string::npos) << ran.err;
}

TEST_F(Sweep, EndsARunThatTakesTooLong) {
  Json experiment = small_experiment();
  experiment["base"] = {{"command", "replay"},
                        {"trace", "{made}/trace.bin"},
                        {"backend", "null"},
                        {"store", "{stores}"},
                        {"cache", "1MiB"}};
  experiment["sweep"] = {{"compute", {"none", "2s"}}};
  experiment["repetitions"] = 1;
  experiment["timeout_s"] = 5;
  ASSERT_EQ(sweep(write(experiment), out_).status, 1);
  for (const auto& [name, result] : results_in(out_)) {
    const bool long_one = result["point"]["compute"] == "2s";
    EXPECT_EQ(result["status"], long_one ? "failed" : "done") << result.dump();
    EXPECT_EQ(long_one, result["error"].is_string() && result["error"].get<std::string>().find(
                                                           "exceeded its time limit") != std::string::npos);
  }
}

TEST_F(Sweep, HasAQuickSizeAndTakesOtherValues) {
  const std::string file = write(small_experiment());
  ASSERT_EQ(sweep(file, out_, {"--quick"}).status, 0);
  EXPECT_EQ(count_results(out_), 2U);
  EXPECT_EQ(Json::parse(read_file(out_ + "/experiment.json"))["size"], "quick");
  // The same runs, made under other circumstances.
  const Ran again =
      sweep(file, out_, {"--set", "evict=lru", "--set", "cache=large", "--set", "tokens=40", "--quick"});
  EXPECT_EQ(again.status, 2) << "one of the two results is not of these runs";
  const Ran set = sweep(file, scratch_ / "set", {"--set", "evict=fifo,lfu", "--set", "cache=large"});
  ASSERT_EQ(set.status, 0) << set.err;
  EXPECT_EQ(count_results(scratch_ / "set"), 4U);
  const Ran base = sweep(file, scratch_ / "base", {"--quick", "--set", "warm-up=5"});
  ASSERT_EQ(base.status, 0) << base.err;
  for (const auto& [name, result] : results_in(scratch_ / "base")) {
    EXPECT_EQ(result["result"]["config"]["warm_up"], "5");
  }
}

TEST_F(Sweep, RefusesAFolderWithResultsOfOtherRuns) {
  ASSERT_EQ(sweep(write(small_experiment()), out_, {"--quick"}).status, 0);
  Json other = small_experiment();
  other["let"]["tokens"] = 41;  // makes another trace, so that every result is another
  expect_one_line(sweep(write(other), out_), 2, {out_, "2 results", "another folder"});
  // More runs of the same experiment are welcome.
  Json more = small_experiment();
  more["sweep"]["evict"] = {"lru", "fifo"};
  EXPECT_EQ(sweep(write(more), out_).status, 0);
  EXPECT_EQ(count_results(out_), 8U);
}

TEST_F(Sweep, PutsSeveralExperimentsIntoAFolderEach) {
  Json second = small_experiment();
  second["question"] = "And the other?";
  second["make"] = Json::array({{{"command", "trace info"}, {"trace", "/no/such/file"}}});
  const std::string one = write(small_experiment(), "one.json");
  const std::string two = write(second, "two.json");
  const Ran ran = spillway({"sweep", two, one, "--quick", "-o", out_});
  EXPECT_EQ(ran.status, 1) << "the second cannot be made";
  EXPECT_EQ(last_line(ran.err).find("spillway: 1 of 2 questions answered; two failed; see " + out_ + "/two"),
            0U)
      << ran.err;
  EXPECT_NE(ran.err.find("two.json"), std::string::npos) << ran.err;
  EXPECT_EQ(count_results(out_ + "/one"), 2U) << "the runs after an impossible one were left out";
}

TEST_F(Sweep, PrintsTheCommandsAndRunsNone) {
  const Ran ran = sweep(write(small_experiment()), out_, {"--dry-run"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), 1 + 1 + 8) << ran.out;
  EXPECT_NE(ran.out.find("--evict random"), std::string::npos) << ran.out;
  EXPECT_FALSE(fs::exists(out_));
}

TEST_F(Sweep, PrintsCommandsThatAShellTakesAsTheyAreMeant) {
  Json experiment = small_experiment();
  experiment["base"]["trace"] = "it's a trace.bin";
  const Ran ran = sweep(write(experiment), out_, {"--dry-run", "--quick"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const std::string line = ran.out.substr(ran.out.find("spillway simulate"));
  const Ran words = Program({"/bin/sh", "-c", "printf '%s\\n' " + line.substr(0, line.find('\n'))}).wait();
  EXPECT_NE(words.out.find("\nit's a trace.bin\n"), std::string::npos) << words.out << words.err;
}

TEST_F(Sweep, RefusesWhatItCannotUnderstandBeforeAnythingRuns) {
  const auto refused = [&](const std::function<void(Json&)>& change, int status,
                           const std::vector<std::string>& mentions) {
    Json experiment = small_experiment();
    change(experiment);
    const std::string file = write(experiment, "bad.json");
    std::vector<std::string> all = mentions;
    all.push_back(file);
    expect_one_line(sweep(file, out_), status, all);
    EXPECT_FALSE(fs::exists(out_));
  };
  refused([](Json& it) { it["schema"] = "spillway.experiment/9"; }, 1, {"spillway.experiment/1"});
  refused([](Json& it) { it.erase("question"); }, 2, {"question"});
  refused([](Json& it) { it["swep"] = 1; }, 2, {"swep", "sweep"});
  refused([](Json& it) { it["base"]["evcit"] = "lru"; }, 2, {"evcit", "simulate"});
  refused([](Json& it) { it["base"]["command"] = "fly"; }, 2, {"fly", "simulate"});
  refused(
      [](Json& it) {
        it["base"]["cache"] = "large";
        it["sweep"].erase("cache");
      },
      2, {"--cache", "large"});
  refused([](Json& it) { it["base"]["trace"] = "{maed}/t.bin"; }, 2, {"{maed}", "made"});
  refused([](Json& it) { it["base"]["json"] = "x.json"; }, 2, {"json"});
  refused([](Json& it) { it["sweep"]["evict"] = "lru"; }, 2, {"evict", "list"});
  refused([](Json& it) { it["sweep"]["evict"] = {"lru", "lru"}; }, 2, {"evict", "twice"});
  refused([](Json& it) { it["sweep"]["cache"] = {{{"cache", "1MiB"}}}; }, 2, {"cache", "label"});
  refused([](Json& it) { it["repetitions"] = 0; }, 2, {"repetitions"});
  refused([](Json& it) { it["plot"]["answer"] = "fastest"; }, 2, {"answer", "along"});
  refused([](Json& it) { it["order"] = "backwards"; }, 2, {"order", "interleaved"});
  refused([](Json& it) { it["make"][0]["layers"] = -1; }, 2, {"--layers"});
  refused([](Json& it) { it["let"]["made"] = "x"; }, 2, {"made"});
}

TEST_F(Sweep, RefusesAFileThatIsNoExperiment) {
  const std::string file = scratch_ / "bad.json";
  std::ofstream(file) << "{\"schema\": ";
  expect_one_line(sweep(file, out_), 1, {file, "byte 12"});
  std::ofstream(file) << "[]";
  expect_one_line(sweep(file, out_), 1, {file});
  expect_one_line(sweep(scratch_ / "none.json", out_), 1, {"none.json"});
  const std::string good = write(small_experiment());
  expect_one_line(sweep(good, out_, {"--shard", "3/2"}), 2, {"3/2"});
  expect_one_line(sweep(good, out_, {"--set", "cache"}), 2, {"cache", "NAME=VALUE"});
  expect_one_line(sweep(good, out_, {"--set", "cache=huge"}), 2, {"huge"});
}

TEST_F(Sweep, DoesNotMixTheResultsOfTwoTracesOfOneName) {
  const std::string trace = scratch_ / "s.bin";
  const auto make = [&](const char* seed) {
    const Ran ran =
        spillway({"trace", "synth", "--layers", "4", "--experts", "16", "--top-k", "4", "--expert-bytes",
                  "64KiB", "--tokens", "20", "--seed", seed, "-o", trace, "--force"});
    ASSERT_EQ(ran.status, 0) << ran.err;
  };
  Json experiment = small_experiment();
  experiment["base"]["trace"] = trace;
  experiment.erase("make");
  experiment.erase("let");
  experiment.erase("quick");
  experiment["repetitions"] = 1;
  make("1");
  const std::string results = scratch_ / "results";
  ASSERT_EQ(sweep(write(experiment), results).status, 0);
  experiment["repetitions"] = 2;
  make("2");
  const Ran mixed = sweep(write(experiment), results);
  EXPECT_EQ(mixed.status, 1);
  EXPECT_NE(mixed.err.find(trace + ": is another trace than the one that 4 of the results"),
            std::string::npos)
      << mixed.err;
  make("1");  // the same seed and command make the same trace again
  EXPECT_EQ(sweep(write(experiment), results).status, 0);
}

}  // namespace
}  // namespace spillway::test
