#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "core/json.h"
#include "tests/support/program.h"

namespace spillway::test {
namespace {

// A small trace, and a store that fits it: 4 layers of 16 experts of 64 KiB, top-4.
class Cli : public testing::Test {
 protected:
  void SetUp() override {
    const Ran made =
        spillway({"trace",          "synth", "--layers", "4",   "--experts", "16",  "--top-k", "4",
                  "--expert-bytes", "64KiB", "--tokens", "40",  "--skew",    "0.8", "--reuse", "0.5",
                  "--seed",         "7",     "-o",       trace_});
    ASSERT_EQ(made.status, 0) << made.err;
  }

  Ran replay(std::vector<std::string> more) {
    std::vector<std::string> arguments = {"replay", trace_, "--store", scratch_.path(), "--no-probe"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return spillway(arguments);
  }

  Json replay_json(std::vector<std::string> more) {
    more.insert(more.end(), {"--json", "-"});
    const Ran ran = replay(more);
    EXPECT_EQ(ran.status, 0) << ran.err;
    return Json::parse(ran.out, nullptr, false);
  }

  TemporaryDirectory scratch_;
  std::string trace_ = scratch_ / "trace.bin";
};

// The names under "Subcommands:" of a help text.
std::vector<std::string> subcommands_of(const std::string& help) {
  std::vector<std::string> names;
  std::istringstream lines(help.substr(std::min(help.size(), help.find("Subcommands:"))));
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line) && line.starts_with("  ")) {
    std::string& name = names.emplace_back();
    std::istringstream(line) >> name;
  }
  return names;
}

// Looks at the help of all commands below `words`; returns how many there are.
size_t expect_examples_below(const std::vector<std::string>& words) {
  std::vector<std::string> arguments = words;
  arguments.push_back("--help");
  const Ran ran = spillway(arguments);
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(ran.err, "");
  const std::vector<std::string> names = subcommands_of(ran.out);
  if (names.empty()) {
    EXPECT_NE(ran.out.find("xample"), std::string::npos) << words.back() << ":\n" << ran.out;
    return 1;
  }
  size_t commands = 0;
  for (const std::string& name : names) {
    std::vector<std::string> below = words;
    below.push_back(name);
    commands += expect_examples_below(below);
  }
  return commands;
}

TEST(CliHelp, ShowsAnExampleForEveryCommand) {
  EXPECT_GE(expect_examples_below({}), 20U);
}

TEST(CliHelp, WrongUsageEndsWithTwo) {
  EXPECT_EQ(spillway({}).status, 2);
  EXPECT_EQ(spillway({"fly"}).status, 2);
  EXPECT_EQ(spillway({"replay", "--wings", "2"}).status, 2);
  EXPECT_EQ(spillway({"list", "wings"}).status, 2);
}

TEST(CliHelp, ReplayIsTheMainJobsSecondName) {
  const std::string second_name = (std::filesystem::path(SPILLWAY_BINARY).parent_path() / "replay").string();
  EXPECT_EQ(Program({second_name, "--help"}).wait().out, spillway({"replay", "--help"}).out);
}

class CliOfEachBackend : public Cli, public testing::WithParamInterface<const char*> {};

TEST_P(CliOfEachBackend, ReplaysFromAColdStoreThatItMakesAndReadsWhatItStored) {
  const std::string backend = GetParam();
  const Ran ran =
      replay({"--backend", backend, "--cache", "1MiB", "--verify", backend == "null" ? "off" : "all"});
  SKIP_WHERE_UNAVAILABLE(ran);
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("tok/s"), std::string::npos) << ran.out;
  EXPECT_EQ(ran.err.find('\033'), std::string::npos) << "a progress bar without a terminal";
}

INSTANTIATE_TEST_SUITE_P(every, CliOfEachBackend,
                         testing::Values("pread", "pread:direct=1", "mmap", "uring", "null",
                                         "hugepage:stage=1"),
                         [](const auto& instance) { return spelled_as_a_name(instance.param); });

TEST_F(Cli, RefusesStdoutForWhatIsBinaryAndMakesNoFileOfThatName) {
  const std::string model = SPILLWAY_SOURCE_DIR "/bundled/tiny-moe-q4_0.gguf";
  const std::string ids = scratch_ / "ids";
  std::ofstream(ids) << "1 2 3";
  const std::string empty = scratch_ / "empty";
  std::filesystem::create_directory(empty);
  const auto run_there = [&](const std::string& command) {
    return Program({"/bin/sh", "-c", "cd " + empty + " && exec " SPILLWAY_BINARY " " + command}).wait();
  };
  for (const std::string& command :
       {std::string("trace synth --layers 1 --experts 16 --top-k 4 --expert-bytes 1MB -o -"),
        "trace cut " + trace_ + " -o -", "trace import " + trace_ + " -o -",
        "trace preload " + trace_ + " --like " + trace_ + " --bytes 1MB -o -",
        "pack --model " + model + " -o -", "quantize " + model + " - --rule static:2,4",
        "record --model " + model + " -p x -n 1 -o -",
        "record --model " + model + " --token-ids " + ids + " --no-trace --logits -"}) {
    SCOPED_TRACE(command);
    const Ran ran = run_there(command);
    expect_one_line(ran, 2, {" -: ", "binary", "name a file"});
    EXPECT_EQ(ran.out, "");
  }
  expect_one_line(run_there("sweep " SPILLWAY_SOURCE_DIR "/experiments/questions/04-eviction.json -o -"), 2,
                  {"-o -", "folder"});
  expect_one_line(run_there("simulate " + trace_ + " --cache 1MiB --timeline -"), 2,
                  {"--timeline -", "name a file"});
  EXPECT_TRUE(std::filesystem::is_empty(empty));
  EXPECT_GT(run_there("trace export " + trace_ + " -o -").out.size(), 1000U) << "text to stdout was refused";
}

TEST_F(Cli, AThrottledDriveGivesNoMoreThanItsRate) {
  // 40 tokens of 16 experts of 64 KiB are 42 MB.
  const Ran ran =
      replay({"--backend", "pread:direct=1", "--cache", "0", "--throttle", "20MB/s", "--json", "-"});
  SKIP_WHERE_UNAVAILABLE(ran);
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json report = Json::parse(ran.out);
  const double seconds = report["io"]["wall_ns"].get<double>() / 1e9;
  // The kernel does not delay the reads of the first tenth of a second.
  EXPECT_LE(report["io"]["read_bytes"].get<double>(), 20e6 * (seconds + 0.2));
  EXPECT_EQ(report["config"]["throttle_bytes_per_s"], "20000000");
}

TEST_F(Cli, AThrottleIsRefusedWhereNoDriveIsRead) {
  expect_one_line(replay({"--backend", "hugepage:stage=1", "--cache", "1MiB", "--throttle", "20MB/s"}), 2,
                  {"--throttle", "staged"});
  expect_one_line(replay({"--cache", "1MiB", "--throttle", "20MB"}), 2, {"--throttle", "20MB"});
}

TEST_F(Cli, AThrottleWithWhichNoRunWouldEndIsRefused) {
  for (const std::string rate : {"1B/s", "0B/s", "999kB/s"}) {
    expect_one_line(replay({"--cache", "1MiB", "--throttle", rate}), 2,
                    {"--throttle", "'" + rate + "'", "too slow", "at least 1MB/s"});
  }
}

TEST_F(Cli, RefusesOptionsOfATraceThatAFileContradicts) {
  const std::string csv = scratch_ / "trace.csv";
  const std::string made = scratch_ / "made.bin";
  ASSERT_EQ(spillway({"trace", "export", trace_, "-o", csv}).status, 0);
  for (const std::string option : {"--layers", "--experts", "--top-k"}) {
    SCOPED_TRACE(option);
    expect_one_line(spillway({"trace", "import", csv, "-o", made, option, "77"}), 1,
                    {csv, "layers of", "options or the preset say", "77"});
  }
  expect_one_line(spillway({"trace", "import", csv, "-o", made, "--model", "olmoe-1b-7b:Q4_K"}), 1,
                  {csv, "the preset say 16 layers, 64 experts"});
  for (const std::vector<std::string>& given :
       std::vector<std::vector<std::string>>{{"--layers", "4"},
                                             {"--experts", "16"},
                                             {"--top-k", "4"},
                                             {"--native-top-k", "4"},
                                             {"--expert-bytes", "64KiB"},
                                             {"--model", "olmoe-1b-7b:Q4_K"},
                                             {"--presets", "."}}) {
    SCOPED_TRACE(given.front());
    expect_one_line(spillway({"trace", "synth", "--like", trace_, "-o", made, given[0], given[1]}), 2,
                    {given.front(), "--like"});
  }
  EXPECT_FALSE(std::filesystem::exists(made));
  // Options supply the facts that the file lacks.
  EXPECT_EQ(
      spillway({"trace", "import", csv, "-o", made, "--native-top-k", "8", "--expert-bytes", "1MB"}).status,
      0);
}

TEST_F(Cli, DecidesTheSameInReplayAndSimulationWhenOnlyDemandsAreRead) {
  for (const std::string policy : {"lru", "lfu", "fifo", "clock", "sieve", "s3fifo", "arc", "wtinylfu",
                                   "least-stale", "layer-lru", "random", "belady"}) {
    SCOPED_TRACE(policy);
    const Ran simulated = spillway({"simulate", trace_, "--cache", "1MiB", "--evict", policy, "--json", "-"});
    ASSERT_EQ(simulated.status, 0) << simulated.err;
    const std::string digest = Json::parse(simulated.out)["digest"];
    for (const std::string backend : {"null", "pread", "mmap"}) {
      EXPECT_EQ(replay_json({"--backend", backend, "--cache", "1MiB", "--evict", policy})["digest"], digest)
          << backend;
    }
  }
}

TEST_F(Cli, SimulatesTwiceToTheSameBytes) {
  const auto simulate = [&](const std::string& seed) {
    const Ran ran = spillway({"simulate", trace_, "--cache", "1MiB", "--evict", "random", "--prefetch",
                              "markov", "--compute", "1ms", "--seed", seed, "--json", "-"});
    EXPECT_EQ(ran.status, 0) << ran.err;
    Json json = Json::parse(ran.out);
    json.erase("run");
    return json.dump();
  };
  EXPECT_EQ(simulate("3"), simulate("3"));
  EXPECT_NE(simulate("3"), simulate("4"));
}

TEST_F(Cli, PrefetchesBehindComputeAndSaysWhatBecameOfIt) {
  const Json report =
      replay_json({"--backend", "pread", "--cache", "2MiB", "--prefetch", "markov", "--compute", "1ms"});
  const Json& measured = report["phases"]["measured"];
  EXPECT_GT(measured["prefetches_issued"], 0);
  EXPECT_GE(measured["experts_ns"].get<int64_t>(), 40 * 4 * 1'000'000LL);
}

TEST_F(Cli, RefusesABackendOrAnOptionThatIsNotThere) {
  expect_one_line(replay({"--backend", "floppy", "--cache", "1MiB"}), 2, {"floppy", "uring", "pread"});
  expect_one_line(replay({"--backend", "uring:dept=3", "--cache", "1MiB"}), 2, {"dept", "depth"});
  expect_one_line(replay({"--evict", "lur", "--cache", "1MiB"}), 2, {"lur", "lru"});
  expect_one_line(replay({"--prefetch", "psychic", "--cache", "1MiB"}), 2, {"psychic", "markov"});
  expect_one_line(replay({"--cache", "1MiB", "--compute", "fast"}), 2, {"--compute", "fast", "2ms"});
  expect_one_line(replay({"--cache", "1MiB", "--compute", "recorded"}), 2, {"recorded", "2ms"});
  expect_one_line(replay({"--cache", "1MiB", "--prefetch", "recorded"}), 2, {"recorded"});
  EXPECT_TRUE(std::filesystem::exists(trace_));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(scratch_.path()), {}), 1)
      << "a refusal made a store";
}

TEST_F(Cli, RefusesACacheSmallerThanOneStep) {
  expect_one_line(replay({"--cache", "100KiB"}), 2, {"100KiB", trace_, "262 kB"});
  expect_one_line(replay({"--cache", "0", "--prefetch", "markov"}), 2, {"--prefetch", "--cache"});
}

TEST_F(Cli, SaysWhichFileIsMissing) {
  expect_one_line(spillway({"replay", scratch_ / "no.bin", "--cache", "1MiB"}), 1, {scratch_ / "no.bin"});
  expect_one_line(spillway({"replay", trace_, "--cache", "1MiB", "--store", scratch_ / "no.store"}), 1,
                  {scratch_ / "no.store"});
  expect_one_line(replay({"--cache", "1MiB", "--json", "/no/such/dir/r.json", "--backend", "null"}), 1,
                  {"/no/such/dir/r.json"});
}

TEST_F(Cli, RefusesAStoreOfAnotherModel) {
  const std::string other = scratch_ / "other.bin";
  ASSERT_EQ(spillway({"trace", "synth", "--layers", "5", "--experts", "16", "--top-k", "4", "--expert-bytes",
                      "64KiB", "--tokens", "4", "-o", other})
                .status,
            0);
  replay({"--backend", "pread", "--cache", "1MiB"});
  std::string store;
  for (const auto& entry : std::filesystem::directory_iterator(scratch_.path())) {
    if (entry.path().extension() != ".bin") {
      store = entry.path();
    }
  }
  ASSERT_FALSE(store.empty());
  expect_one_line(spillway({"replay", other, "--cache", "1MiB", "--store", store}), 1, {store, "4", "5"});
  std::filesystem::resize_file(store, std::filesystem::file_size(store) - 4096);
  expect_one_line(spillway({"replay", trace_, "--cache", "1MiB", "--store", store}), 1, {store});
}

TEST_F(Cli, CutsATraceToOtherExpertsButGivesDenseLayersNone) {
  const std::string csv = scratch_ / "dense.csv";
  std::ofstream(csv)
      << R"(# spillway.trace.csv/1 {"schema":"spillway.trace/1","model":"","geometry":)"
      << R"({"layers":2,"experts_per_layer":4,"native_top_k":2,"used_top_k":2,)"
      << R"("expert_bytes":[65536,0]},"columns":[],"provenance":{},"seeds":{}})"
      << "\n"
      << "pass,phase,sequence,layer,tokens,token,expert,weight,token_id,attention_ns,experts_ns,"
      << "lookahead\n0,decode,0,0,1,0,1,,,,,\n0,decode,0,0,1,0,2,,,,,\n";
  const std::string dense = scratch_ / "dense.bin";
  const std::string wide = scratch_ / "wide.bin";
  ASSERT_EQ(spillway({"trace", "import", csv, "-o", dense}).status, 0);
  ASSERT_EQ(spillway({"trace", "cut", dense, "--expert-bytes", "1MB", "-o", wide}).status, 0);
  const Json info = Json::parse(spillway({"trace", "info", wide, "--json", "-"}).out);
  EXPECT_EQ(info["header"]["geometry"]["expert_bytes"], Json({1'000'000, 0}));
}

TEST_F(Cli, RunsATraceThatWasCutOffUpToWhereItIsWhole) {
  const std::string cut = scratch_ / "cut.bin";
  std::filesystem::copy_file(trace_, cut);
  std::filesystem::resize_file(cut, std::filesystem::file_size(cut) - 1);
  const Ran ran = spillway({"simulate", cut, "--cache", "1MiB"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("incomplete"), std::string::npos) << ran.out;
  for (const uintmax_t size : {0, 10, 30, 200}) {
    std::filesystem::resize_file(cut, size);
    expect_one_line(spillway({"simulate", cut, "--cache", "1MiB"}), 1, {cut});
  }
}

TEST_F(Cli, PrintsTheResultSoFarOnCtrlC) {
  Program program({SPILLWAY_BINARY, "replay", trace_, "--store", scratch_.path(), "--no-probe", "--backend",
                   "pread", "--cache", "1MiB", "--compute", "50ms"});
  for (int i = 0; i < 100 && std::distance(std::filesystem::directory_iterator(scratch_.path()), {}) < 2;
       ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  program.signal(SIGINT);
  const Ran ran = program.wait();
  EXPECT_EQ(ran.status, 1);
  EXPECT_NE(ran.out.find("INTERRUPTED"), std::string::npos) << ran.out << ran.err;
  EXPECT_NE(ran.out.find("tok/s"), std::string::npos);
}

TEST_F(Cli, LeavesNoHalfAStoreBehindOnCtrlC) {
  const std::string big = scratch_ / "big.bin";
  ASSERT_EQ(spillway({"trace", "synth", "--layers", "8", "--experts", "128", "--top-k", "4", "--expert-bytes",
                      "2MB", "--tokens", "2", "-o", big})
                .status,
            0);
  const std::string stores = scratch_ / "stores";
  std::filesystem::create_directory(stores);
  Program program({SPILLWAY_BINARY, "replay", big, "--store", stores, "--cache", "20MB"});
  const Ran ran = interrupt_once_it_writes(program, stores);
  EXPECT_EQ(ran.status, 1) << ran.out;
  EXPECT_TRUE(std::filesystem::is_empty(stores)) << ran.err;
}

// The text has what the JSON has, which the programs behind it read.
TEST(CliList, ListsEveryFamilyWithItsOptions) {
  Json families = Json::parse(spillway({"list", "--json", "-"}).out);
  families.erase("schema");
  const std::string help = spillway({"list", "--help"}).out;
  const std::string everything = spillway({"list"}).out;
  EXPECT_GE(families.size(), 11U);
  for (const auto& [family, entries] : families.items()) {
    SCOPED_TRACE(family);
    EXPECT_NE(help.find(family), std::string::npos) << help;
    const Ran text = spillway({"list", family});
    ASSERT_EQ(text.status, 0) << text.err;
    EXPECT_NE(everything.find(text.out), std::string::npos) << "is listed otherwise alone";
    EXPECT_FALSE(entries.empty());
    for (const Json& entry : entries) {
      const std::string name = entry["name"];
      const size_t at = text.out.find("\n  " + name + " ");
      ASSERT_NE(at, std::string::npos) << name;
      // A figure has a label in place of a summary, and no options.
      const std::string about = entry.at(entry.contains("label") ? "label" : "summary");
      EXPECT_NE(text.out.find(about, at), std::string::npos) << name;
      for (const Json& option : entry.value("options", Json::array())) {
        const std::string shown =
            option["name"].get<std::string>() + "=" + option["default"].get<std::string>();
        EXPECT_NE(text.out.find("\n    " + shown + " ", at), std::string::npos) << name << ": " << shown;
      }
    }
    const Json alone = Json::parse(spillway({"list", family, "--json", "-"}).out);
    EXPECT_TRUE(alone[family] == entries) << "is listed otherwise alone";
  }
}

TEST_F(Cli, BreaksTheLastColumnOfATableWhereTheOutputIsNarrow) {
  const Ran narrow = Program({"/usr/bin/env", "COLUMNS=60", SPILLWAY_BINARY, "list", "policies"}).wait();
  ASSERT_EQ(narrow.status, 0) << narrow.err;
  std::istringstream lines(narrow.out);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 60U) << line;
  }
  const Ran whole = spillway({"list", "policies"});
  EXPECT_GT(narrow.out.size(), whole.out.size());
}

TEST_F(Cli, PrintsACurveAsTableAndAsJson) {
  const Ran ran = spillway({"curve", trace_, "--policy", "lru,lfu:halve_every=9,keep=0,belady", "--cache",
                            "1MiB,2MiB", "--json", "-"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json json = Json::parse(ran.out);
  ASSERT_EQ(json["points"].size(), 6U);
  EXPECT_EQ(json["points"][2]["policy"], "lfu:halve_every=9,keep=0");
  const Ran table = spillway({"curve", trace_});
  EXPECT_EQ(table.status, 0);
  EXPECT_NE(table.out.find("belady"), std::string::npos);
}

TEST_F(Cli, WritesAReportThatItsSchemaDescribes) {
  if (std::system("python3 -c 'import jsonschema' 2>/dev/null") != 0) {
    GTEST_SKIP() << "python3-jsonschema is not installed";
  }
  const std::string root = SPILLWAY_SOURCE_DIR;
  const auto check = [&](const std::string& schema, const std::string& document) {
    return Program({"/usr/bin/env", "python3", root + "/tests/cli/check_schema.py",
                    root + "/share/schema/" + schema, document})
        .wait();
  };
  const std::string report = scratch_ / "report.json";
  ASSERT_EQ(replay({"--backend", "pread", "--cache", "1MiB", "--json", report}).status, 0);
  EXPECT_EQ(check("report-1.json", report).status, 0) << check("report-1.json", report).err;
  ASSERT_EQ(spillway({"simulate", trace_, "--cache", "0", "--json", report}).status, 0);
  EXPECT_EQ(check("report-1.json", report).status, 0) << check("report-1.json", report).err;
  ASSERT_EQ(spillway({"curve", trace_, "--json", report}).status, 0);
  EXPECT_EQ(check("curve-1.json", report).status, 0) << check("curve-1.json", report).err;

  std::ofstream(report) << R"({"schema": "spillway.report/2"})";
  EXPECT_NE(check("report-1.json", report).status, 0) << "a wrong document passes";
}

}  // namespace
}  // namespace spillway::test
