#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "core/json.h"
#include "tests/support/program.h"

// Wrong input and sudden ends: the program writes one line, exits with the status that the design gives, and
// leaves nothing behind.
namespace spillway::test {
namespace {

namespace fs = std::filesystem;

class Hostile : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(stores_);
    const Ran made = synth(trace_, {"--expert-bytes", "64KiB"});
    ASSERT_EQ(made.status, 0) << made.err;
  }

  // The trace has 4 layers of 16 experts, top-4, 40 tokens, unless `more` says otherwise.
  static Ran synth(const std::string& path, std::vector<std::string> more) {
    std::vector<std::string> arguments = {"trace", "synth", "-o", path};
    for (const auto& [option, value] : {std::pair("--layers", "4"),
                                        {"--experts", "16"},
                                        {"--top-k", "4"},
                                        {"--tokens", "40"},
                                        {"--reuse", "0.5"},
                                        {"--expert-bytes", "64KiB"}}) {
      if (std::find(more.begin(), more.end(), option) == more.end()) {
        arguments.insert(arguments.end(), {option, value});
      }
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    return spillway(arguments);
  }

  Ran replay(std::vector<std::string> more) {
    std::vector<std::string> arguments = {"replay", trace_, "--no-probe", "--cache", "1MiB"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return spillway(arguments);
  }

  TemporaryDirectory scratch_;
  std::string trace_ = scratch_ / "trace.bin";
  std::string stores_ = scratch_ / "stores";
};

size_t entries(const std::string& directory) {
  return size_t(std::distance(fs::directory_iterator(directory), {}));
}

// Returns how many files have names that begin like that of `path`.
size_t names_like(const std::string& path) {
  const fs::directory_iterator files(fs::path(path).parent_path());
  return size_t(std::count_if(begin(files), end(files), [&](const fs::directory_entry& entry) {
    return entry.path().string().starts_with(path);
  }));
}

// Runs `line` in a shell, for redirections and limits that only a shell can set up.
Ran shell(const std::string& line) {
  return Program({"/bin/sh", "-c", line}).wait();
}

TEST_F(Hostile, TheNullBackendNeedsNoStoreAndMakesNone) {
  const Ran ran = Program({"/usr/bin/env", "-i", SPILLWAY_BINARY, "replay", trace_, "--backend", "null",
                           "--cache", "1MiB", "--json", "-"})
                      .wait();
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_TRUE(Json::parse(ran.out)["run"]["store"]["files"].empty());
  EXPECT_EQ(replay({"--backend", "null", "--store", stores_}).status, 0);
  EXPECT_EQ(entries(stores_), 0U);
  // Three ranges for each expert are three requests; the decisions are the same.
  const Ran three = replay({"--backend", "null", "--ranges", "3", "--json", "-"});
  EXPECT_EQ(Json::parse(three.out)["digest"], Json::parse(ran.out)["digest"]);
  EXPECT_EQ(Json::parse(three.out)["config"]["ranges"], "3");
}

TEST_F(Hostile, RefusalsComeBeforeABigStoreIsMade) {
  const std::string big = scratch_ / "big.bin";
  ASSERT_EQ(
      synth(big, {"--layers", "64", "--experts", "512", "--expert-bytes", "1TB", "--tokens", "1"}).status, 2)
      << "more than an expert may have";
  ASSERT_EQ(
      synth(big, {"--layers", "64", "--experts", "512", "--expert-bytes", "60GB", "--tokens", "1"}).status,
      0);
  // The store would be 2 PB, so the refusal must have come before any of it was written.
  const auto refused = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"replay", big, "--store", stores_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return spillway(arguments);
  };
  expect_one_line(refused({"--cache", "16TB", "--pages", "hugetlb", "--backend", "pread"}), 77, {"hugetlb"});
  expect_one_line(refused({"--cache", "16TB", "--pages", "small", "--backend", "pread"}), 1, {"memory"});
  expect_one_line(refused({"--cache", "1GB", "--backend", "pread"}), 2, {"1GB", "240 GB"});
  expect_one_line(refused({"--cache", "0", "--backend", "pread:threads=0"}), 2, {"threads"});
  expect_one_line(refused({"--cache", "0", "--backend", "pread:depht=3"}), 2, {"depht", "depth"});
  expect_one_line(refused({"--cache", "0", "--backend", "mmap", "--json", "/no/such/dir/x"}), 1,
                  {"/no/such/dir/x"});
  expect_one_line(refused({"--cache", "0", "--backend", "mmap", "--memory", "1MB"}), 2, {"--memory"});
  expect_one_line(refused({"--cache", "0", "--backend", "mmap"}), 1, {"room"});
  EXPECT_EQ(entries(stores_), 0U);
}

TEST_F(Hostile, NumbersThatAreNoneAreRefused) {
  for (const char* seed : {"-1", "0x10", "1e3", "18446744073709551616", "", "1 2", "nan"}) {
    SCOPED_TRACE(seed);
    expect_one_line(replay({"--seed", seed, "--backend", "null"}), 2, {"--seed", seed, "at least 0"});
  }
  expect_one_line(replay({"--tokens", "0", "--backend", "null"}), 2, {"--tokens", "at least 1"});
  expect_one_line(spillway({"curve", trace_, "--tokens", "0"}), 2, {"--tokens", "at least 1"});
  expect_one_line(spillway({"trace", "cut", trace_, "--tokens", "0", "-o", scratch_ / "c"}), 2,
                  {"at least 1"});
  expect_one_line(spillway({"simulate", trace_, "--cache", "0", "--depth", "4097"}), 2, {"1 to 4096"});
  for (const char* ranges : {"3x", "2", ""}) {
    expect_one_line(replay({"--ranges", ranges, "--backend", "null"}), 2, {"--ranges", "1,3"});
  }
  const std::string out = scratch_ / "out.bin";
  for (const char* share : {"nan", "inf", "-0.5", "1.5", "", "half"}) {
    SCOPED_TRACE(share);
    expect_one_line(synth(out, {"--expert-bytes", "1MB", "--reuse", share}), 2, {"--reuse", share, "0 to 1"});
    expect_one_line(synth(out, {"--expert-bytes", "1MB", "--skew", share[0] == '1' ? "5.1" : share}), 2,
                    {"--skew", "0 to 5"});
  }
  for (const char* size : {"-1MB", "nan", "infGB", "1XB", "1e30", ""}) {
    SCOPED_TRACE(size);
    expect_one_line(replay({"--memory", size, "--backend", "null"}), 2, {"--memory", size});
  }
  expect_one_line(replay({"--prefetch", "markov:min_confidence=nan", "--backend", "null"}), 2,
                  {"min_confidence"});
  expect_one_line(replay({"--prefetch", "popular:min_confidence=-1", "--backend", "null"}), 2,
                  {"min_confidence"});
  EXPECT_FALSE(fs::exists(out));
}

TEST_F(Hostile, ACommandThatIsMissingOrMisspeltIsAnsweredWithThoseThereAre) {
  expect_one_line(spillway({}), 2,
                  {"spillway needs a command", "replay", "simulate", "curve", "trace", "list"});
  expect_one_line(spillway({"fly"}), 2, {"'spillway fly'", "replay", "curve"});
  expect_one_line(spillway({"trace"}), 2, {"spillway trace needs a command", "info", "synth"});
  expect_one_line(spillway({"trace", "fly", "x"}), 2, {"'spillway trace fly'", "import", "cut"});
  expect_one_line(spillway({"--fly"}), 2, {"--fly", "replay"});
  expect_one_line(spillway({"replay", trace_, "--cache", "0", "--fly"}), 2,
                  {"--fly", "spillway replay --help"});
  expect_one_line(spillway({"replay"}), 2, {"required"});
  EXPECT_EQ(spillway({"--version"}).status, 0);
  EXPECT_EQ(spillway({"trace", "--help"}).status, 0);
}

TEST_F(Hostile, AnUnfinishedSpecIsAnsweredWithTheOptionsThereAre) {
  for (const char* spec : {"uring:", "uring:depth", "uring:depth=", "uring:=4", "uring:depth=4,"}) {
    SCOPED_TRACE(spec);
    expect_one_line(replay({"--backend", spec, "--store", stores_}), 2, {"uring", "depth", "chunk"});
  }
  expect_one_line(replay({"--backend", "null", "--evict", "lru:"}), 2, {"lru", "no options"});
  expect_one_line(spillway({"simulate", trace_, "--cache", "0", "--device", "linear:"}), 2, {"bandwidth"});
  EXPECT_EQ(entries(stores_), 0U);
}

TEST_F(Hostile, TextFromAFileCannotDriveTheTerminal) {
  const std::string csv = scratch_ / "evil.csv";
  ASSERT_EQ(spillway({"trace", "export", trace_, "-o", csv}).status, 0);
  std::string text = read_file(csv);
  const std::string evil = scratch_ / "evil\x1b[2J.bin";
  std::ofstream(csv) << text;
  ASSERT_EQ(spillway({"trace", "import", csv, "--model", "olmoe-1b-7b:Q4_K\x1b[31m", "-o", evil}).status, 2);
  fs::copy_file(trace_, evil);
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"trace", "info", evil},
                                             {"curve", evil},
                                             {"simulate", evil, "--cache", "0"},
                                             {"trace", "info", evil + "x"},
                                             {"replay", evil, "--cache", "0", "--evict", "\x1b[31m"}}) {
    const Ran ran = spillway(command);
    EXPECT_EQ((ran.out + ran.err).find('\x1b'), std::string::npos) << command.front();
    EXPECT_NE((ran.out + ran.err).find("\\x1b["), std::string::npos) << command.front();
  }
}

TEST_F(Hostile, JsonReplacesAnOlderFileWholeOrNotAtAll) {
  const std::string report = scratch_ / "report.json";
  std::ofstream(report) << "older";
  ASSERT_EQ(replay({"--backend", "null", "--json", report}).status, 0);
  EXPECT_EQ(Json::parse(read_file(report))["schema"], "spillway.report/1");
  // A limit of 512 bytes per file acts like a full disk and is the same everywhere.
  std::ofstream(report) << "older";
  for (const std::string command : {"replay --backend null --cache 1MiB", "curve", "trace info"}) {
    SCOPED_TRACE(command);
    const Ran ran = shell("ulimit -f 1; exec " SPILLWAY_BINARY " " + command + " " + trace_ + " --json " +
                          report + " >/dev/null");
    expect_one_line(ran, 1, {report});
    EXPECT_EQ(read_file(report), "older");
    EXPECT_EQ(names_like(report), 1U);
  }
  expect_one_line(replay({"--backend", "null", "--json", trace_}), 2, {"--json", "trace"});
  expect_one_line(replay({"--backend", "null", "--json", scratch_.path()}), 1, {scratch_.path(), "irectory"});
  EXPECT_EQ(replay({"--backend", "null", "--json", "/dev/null"}).status, 0);
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  expect_one_line(shell(SPILLWAY_BINARY " list --json /no/such/dir/x"), 1, {"/no/such/dir/x"});
}

TEST_F(Hostile, AReplacedOutputIsNeverADeviceOrADirectory) {
  EXPECT_EQ(synth("/dev/null", {"--expert-bytes", "1MB", "--force"}).status, 0);
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  expect_one_line(synth(scratch_.path(), {"--expert-bytes", "1MB", "--force"}), 1, {"irectory"});
  EXPECT_EQ(names_like(scratch_.path()), 1U);
}

TEST_F(Hostile, ACurveThatIsInterruptedPrintsThePointsItHas) {
  const std::string long_trace = scratch_ / "long.bin";
  ASSERT_EQ(synth(long_trace, {"--expert-bytes", "1MB", "--tokens", "20000"}).status, 0);
  std::vector<std::string> arguments = {SPILLWAY_BINARY, "curve", long_trace, "--json",
                                        scratch_ / "curve.json"};
  std::string sizes = "5MB";
  for (int i = 0; i < 2000; ++i) {
    sizes += ",6MB";
  }
  arguments.insert(arguments.end(), {"--cache", sizes, "--policy", "lru,lfu"});
  Program program(arguments);
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  program.signal(SIGINT);
  const Ran ran = program.wait();
  expect_one_line(ran, 1, {"interrupted", "4002 points"});
  EXPECT_NE(ran.out.find("INTERRUPTED"), std::string::npos);
  const Json json = Json::parse(read_file(scratch_ / "curve.json"));
  EXPECT_EQ(json["interrupted"], true);
  EXPECT_LT(json["points"].size(), 4002U);
}

TEST_F(Hostile, NoSignalLeavesHalfAStoreBehind) {
  const std::string big = scratch_ / "big.bin";
  ASSERT_EQ(synth(big, {"--experts", "256", "--expert-bytes", "2MB", "--tokens", "2"}).status, 0);
  for (const int number : {SIGQUIT, SIGTERM, SIGXCPU}) {
    SCOPED_TRACE(number);
    Program program(
        {SPILLWAY_BINARY, "replay", big, "--store", stores_, "--cache", "20MB", "--backend", "pread"});
    const Ran ran = interrupt_once_it_writes(program, stores_, number);
    EXPECT_EQ(ran.status, 1) << ran.out << ran.err;
    EXPECT_TRUE(fs::is_empty(stores_)) << ran.err;
  }
  const Ran limited = shell("ulimit -f 1000; exec " SPILLWAY_BINARY " replay " + big +
                            " --cache 20MB --store " + stores_ + " --backend pread");
  expect_one_line(limited, 1, {stores_});
  EXPECT_TRUE(fs::is_empty(stores_));
}

// A pipe whose reader never comes blocks the program where it checks no flag.
TEST_F(Hostile, ASignalEndsTheWaitForAReaderAndACrashThereCleansUp) {
  const std::string pipe = scratch_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const int number : {SIGINT, SIGUSR1, SIGABRT}) {
    SCOPED_TRACE(number);
    Program program({SPILLWAY_BINARY, "replay", trace_, "--store", stores_, "--cache", "1MiB", "--backend",
                     "pread", "--no-probe", "--tokens", "1", "--memory", "200MB", "--throttle", "1GB/s",
                     "--json", pipe});
    program.wait_until_it_catches(number);
    std::this_thread::sleep_for(std::chrono::milliseconds(1000));
    program.signal(number);
    const Ran ran = program.wait();
    if (ran.status == 77) {
      GTEST_SKIP() << "this user may not make cgroups: " << ran.err;
    }
    EXPECT_EQ(ran.status, number == SIGABRT ? 128 + SIGABRT : 1) << ran.err;
    for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/blkio"}) {
      std::error_code ignored;
      for (const fs::directory_entry& entry : fs::directory_iterator(root, ignored)) {
        EXPECT_NE(entry.path().filename(), "spillway-" + std::to_string(program.pid())) << entry.path();
      }
    }
  }
}

TEST_F(Hostile, AnExportIsInterruptedWhereverItGoes) {
  const std::string pipe = scratch_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const auto interrupted = [&](const std::string& line) {
    Program program({"/bin/sh", "-c", "exec " SPILLWAY_BINARY " trace export " + trace_ + " " + line});
    program.wait_until_it_catches(SIGINT);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    program.signal(SIGINT);
    return program.wait();
  };
  expect_one_line(interrupted("--force -o " + pipe), 1, {pipe});
  // The reader takes nothing, so the pipe is full after its first page.
  const int reader = ::open(pipe.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(::fcntl(reader, F_SETPIPE_SZ, 4096), 4096);
  for (const std::string format : {"csv", "oraclegeneral"}) {
    SCOPED_TRACE(format);
    expect_one_line(interrupted("--to " + format + " --force -o " + pipe), 1, {"nterrupted"});
    expect_one_line(interrupted("--to " + format + " -o - > " + pipe), 1, {"nterrupted"});
  }
  ::close(reader);
}

TEST_F(Hostile, AnOutputIsNeverTheInputNorWhatIsThereByChance) {
  const std::string whole = read_file(trace_);
  const std::string link = scratch_ / "link";
  fs::create_symlink("trace.bin", link);
  fs::create_hard_link(trace_, scratch_ / "hard");
  for (const std::string& name : {trace_, link, scratch_ / "hard"}) {
    SCOPED_TRACE(name);
    for (const char* command : {"cut", "export", "import"}) {
      expect_one_line(spillway({"trace", command, trace_, "--force", "-o", name}), 2, {name, "input"});
    }
    expect_one_line(spillway({"trace", "synth", "--like", trace_, "--force", "-o", name}), 2,
                    {name, "input"});
    expect_one_line(replay({"--backend", "null", "--json", name}), 2, {"--json", name});
    expect_one_line(spillway({"trace", "info", trace_, "--json", name}), 2, {"--json", name});
  }
  EXPECT_EQ(read_file(trace_), whole);

  const std::string killed = scratch_ / "killed.bin.partial";
  fs::copy_file(trace_, killed);
  EXPECT_EQ(spillway({"trace", "cut", killed, "-o", scratch_ / "killed.bin"}).status, 0);
  EXPECT_EQ(spillway({"trace", "info", killed, "--json", scratch_ / "killed.bin"}).status, 0);
  EXPECT_EQ(read_file(killed), whole);
}

TEST_F(Hostile, ALinkForAnOutputStaysAndWhatItLeadsToIsReplacedOnlyByTheWhole) {
  const std::string target = scratch_ / "target.json";
  const std::string link = scratch_ / "link.json";
  fs::create_symlink("target.json", link);
  expect_one_line(replay({"--backend", "null", "--evict", "none", "--json", link}), 2, {"none"});
  EXPECT_FALSE(fs::exists(target));
  std::ofstream(target) << "older";
  expect_one_line(replay({"--backend", "null", "--evict", "none", "--json", link}), 2, {"none"});
  EXPECT_EQ(read_file(target), "older");
  EXPECT_EQ(replay({"--backend", "null", "--json", link}).status, 0);
  EXPECT_EQ(Json::parse(read_file(target))["schema"], "spillway.report/1");
  EXPECT_TRUE(fs::is_symlink(link));
  // Both outputs go into the file that stdout is redirected to.
  const std::string both = scratch_ / "both";
  EXPECT_EQ(
      shell(SPILLWAY_BINARY " replay " + trace_ + " --backend null --cache 1MiB --json /dev/stdout > " + both)
          .status,
      0);
  EXPECT_NE(read_file(both).find("spillway.report/1"), std::string::npos);
  EXPECT_NE(read_file(both).find("achieved"), std::string::npos);
}

TEST_F(Hostile, OptionsOfAScratchStoreAreRefusedForAnother) {
  ASSERT_EQ(replay({"--backend", "pread", "--store", stores_}).status, 0);
  const std::string store = fs::directory_iterator(stores_)->path();
  EXPECT_EQ(replay({"--backend", "pread", "--store", store}).status, 0);
  expect_one_line(replay({"--backend", "pread", "--store", store, "--ranges", "3"}), 2,
                  {"--ranges 3", store});
  expect_one_line(replay({"--backend", "pread", "--store", store + "," + stores_}), 2,
                  {"files and directories"});
  EXPECT_EQ(entries(stores_), 1U);
}

TEST_F(Hostile, AStoreThatIsNotThereOrHasNoPlaceToBeIsSaid) {
  expect_one_line(replay({"--backend", "pread", "--store", "/no/such/dir/x"}), 1,
                  {"/no/such/dir/x", "directory"});
  const Ran homeless = Program({"/usr/bin/env", "-i", SPILLWAY_BINARY, "replay", trace_, "--backend", "pread",
                                "--cache", "1MiB"})
                           .wait();
  expect_one_line(homeless, 1, {"HOME", "--store DIR"});
  std::ofstream(scratch_ / "empty") << "";
  expect_one_line(replay({"--backend", "pread", "--store", scratch_ / "empty"}), 1, {scratch_ / "empty"});
  expect_one_line(replay({"--backend", "pread", "--store", "/dev/null"}), 1, {"/dev/null"});
}

TEST_F(Hostile, WhatIsNoTraceIsRefusedAndNotWaitedFor) {
  const std::string pipe = scratch_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  std::ofstream(scratch_ / "empty") << "";
  for (const std::string& path : {pipe, scratch_ / "empty", scratch_.path(), std::string("/dev/null"),
                                  std::string("/dev/zero"), scratch_ / "missing", std::string("")}) {
    SCOPED_TRACE(path);
    expect_one_line(spillway({"trace", "info", path}), 1, {path});
    expect_one_line(spillway({"simulate", path, "--cache", "0"}), 1, {path});
    expect_one_line(spillway({"trace", "import", path, "-o", scratch_ / "out"}), 1, {path});
  }
  expect_one_line(replay({"--backend", "pread", "--store", pipe}), 1, {pipe});
  EXPECT_EQ(names_like(scratch_ / "out"), 0U);
}

TEST_F(Hostile, AnOutputNobodyReadsIsAnError) {
  const std::string program = SPILLWAY_BINARY;
  // A limit of 512 bytes per file acts like a full disk and is the same everywhere.
  for (const std::string& command :
       {std::string(" list"), std::string(" --help"), std::string(" replay --help")}) {
    expect_one_line(shell("ulimit -f 1; exec " + program + command + " > " + (scratch_ / "full")), 1,
                    {"output"});
  }
  expect_one_line(shell(program + " trace info " + trace_ + " >&-"), 1, {"output"});
  // Whoever reads the output may stop: that is no error to tell.
  for (const std::string& command :
       {std::string("list"), std::string("trace info " + trace_), std::string("--help")}) {
    shell("{ sleep 0.2; " + program + " " + command + " 2>" + (scratch_ / "err") + "; } | true");
    EXPECT_EQ(read_file(scratch_ / "err"), "") << command;
  }
  // With stdout closed, the trace must not get the descriptor that messages go to.
  const std::string out = scratch_ / "out.bin";
  shell(program + " trace synth --layers 1 --experts 16 --top-k 4 --expert-bytes 1MB -o " + out +
        " >&- 2>&- <&-");
  EXPECT_EQ(spillway({"trace", "info", out}).status, 0);
  // The report of minutes of work must outlive the reader of the table.
  const std::string report = scratch_ / "r.json";
  shell(program + " replay " + trace_ + " --backend null --cache 1MiB --json " + report + " | true");
  EXPECT_EQ(Json::parse(read_file(report))["schema"], "spillway.report/1");
}

TEST_F(Hostile, ListsTheModelsThatPresetsName) {
  const Ran text = spillway({"list", "models"});
  EXPECT_EQ(text.status, 0);
  for (const char* word : {"olmoe-1b-7b", "16 layers × 64 experts, top-8", "Q4_K"}) {
    EXPECT_NE(text.out.find(word), std::string::npos) << word << "\n" << text.out;
  }
  const Json json = Json::parse(spillway({"list", "models", "--json", "-"}).out);
  EXPECT_GE(json["models"].size(), 3U);
  fs::create_directories(scratch_ / "presets/models/directory.json");
  ASSERT_EQ(mkfifo((scratch_ / "presets/models/pipe.json").c_str(), 0600), 0);
  std::ofstream(scratch_ / "presets/models/broken.json") << "{";
  const Ran broken =
      Program({"/usr/bin/timeout", "20", "/usr/bin/env", "SPILLWAY_PRESETS=" + (scratch_ / "presets"),
               SPILLWAY_BINARY, "list", "models"})
          .wait();
  EXPECT_EQ(broken.status, 0) << broken.err;
  EXPECT_NE(broken.out.find("not usable"), std::string::npos) << broken.out;
  EXPECT_NE(broken.out.find("olmoe-1b-7b"), std::string::npos) << broken.out;
}

}  // namespace
}  // namespace spillway::test
