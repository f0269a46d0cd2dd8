#include <gtest/gtest.h>

#include "tests/support/program.h"

namespace spillway::test {
namespace {

// docs/FORMATS.md claims to be enough for a reader and a writer. formats.py follows that page alone: a format
// that changes without its page fails here.
class Formats : public testing::Test {
 protected:
  // Skips if the libraries that the script reads with are missing.
  void run_script(std::vector<std::string> arguments, Ran& ran) {
    arguments.insert(arguments.begin(),
                     {"/usr/bin/env", "python3", SPILLWAY_SOURCE_DIR "/tests/cli/formats.py"});
    ran = Program(arguments).wait();
    if (ran.status == 77 || ran.status == 127) {
      GTEST_SKIP() << (ran.err.empty() ? "python3 is not installed" : ran.err);
    }
    ASSERT_EQ(ran.status, 0) << ran.err;
  }

  static std::string csv_of(const std::string& trace) {
    const Ran ran = spillway({"trace", "export", trace, "-o", "-"});
    EXPECT_EQ(ran.status, 0) << ran.err;
    return ran.out;
  }

  // The script and the program read the same steps in a trace, and again in the trace that the script writes.
  void expect_same_steps(const std::string& trace) {
    Ran ran;
    run_script({"copy", trace, copy_}, ran);
    if (HasFatalFailure() || IsSkipped()) {
      return;
    }
    const std::string csv = csv_of(trace);
    EXPECT_GT(csv.size(), 1000U);
    EXPECT_TRUE(ran.out == csv) << "the script reads other steps";
    EXPECT_TRUE(csv_of(copy_) == csv) << "the script writes other steps";
  }

  Ran replay(const std::vector<std::string>& stores) {
    std::vector<std::string> arguments = {"replay", trace_,       "--backend", "pread", "--cache",
                                          "1MB",    "--no-probe", "--verify",  "all",   "--store"};
    arguments.insert(arguments.end(), stores.begin(), stores.end());
    return spillway(arguments);
  }

  void cut_recorded_trace(const std::string& range, const std::string& value) {
    const Ran cut = spillway({"trace", "cut", SPILLWAY_SOURCE_DIR "/bundled/tiny-moe.trace.bin", range, value,
                              "-o", trace_, "--force"});
    ASSERT_EQ(cut.status, 0) << cut.err;
  }

  TemporaryDirectory scratch_;
  std::string trace_ = scratch_ / "trace.bin";
  std::string copy_ = scratch_ / "copy.bin";
};

TEST_F(Formats, ARecordedTraceIsReadAndWrittenByThePageAlone) {
  cut_recorded_trace("--sequences", "1:2");
  expect_same_steps(trace_);
  if (!IsSkipped()) {
    const Ran ran =
        spillway({"replay", copy_, "--backend", "null", "--cache", "1MB", "--store", scratch_.path()});
    EXPECT_EQ(ran.status, 0) << ran.err;
  }
}

TEST_F(Formats, ATraceOfManyExpertsAndOneThatListsThemAreReadAndWrittenByThePageAlone) {
  const Ran wide = spillway({"trace", "synth", "--layers", "3", "--experts", "300", "--top-k", "6",
                             "--expert-bytes", "8KiB", "--tokens", "50", "--prefill", "9", "-o", trace_});
  ASSERT_EQ(wide.status, 0) << wide.err;
  expect_same_steps(trace_);
  const std::string records = scratch_ / "records";
  ASSERT_EQ(spillway({"trace", "export", trace_, "--to", "oraclegeneral", "-o", records}).status, 0);
  const Ran listed = spillway({"trace", "import", records, "--layers", "3", "--experts", "300", "--top-k",
                               "6", "-o", trace_, "--force"});
  ASSERT_EQ(listed.status, 0) << listed.err;
  expect_same_steps(trace_);
}

TEST_F(Formats, APackedStoreHasTheChecksumsThatThePageSays) {
  const std::string store = scratch_ / "model.store";
  const Ran packed =
      spillway({"pack", "--model", SPILLWAY_SOURCE_DIR "/bundled/tiny-moe-q4_0.gguf", "-o", store});
  ASSERT_EQ(packed.status, 0) << packed.err;
  Ran ran;
  run_script({"check", store}, ran);
  if (!IsSkipped()) {
    EXPECT_EQ(ran.out, "1536 experts of tiny-moe-q4_0.gguf\n");
  }
}

TEST_F(Formats, TheFilesOfAStripedScratchStoreHaveTheBytesThatThePageSays) {
  cut_recorded_trace("--tokens", "2");
  const std::vector<std::string> directories = {scratch_ / "a", scratch_ / "b"};
  for (const std::string& directory : directories) {
    std::filesystem::create_directory(directory);
  }
  std::vector<std::string> arguments = directories;
  arguments.insert(arguments.end(), {"--ranges", "3"});
  const Ran made = replay(arguments);
  ASSERT_EQ(made.status, 0) << made.err;
  std::vector<std::string> check = {"check"};
  for (const std::string& directory : directories) {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      check.push_back(entry.path());
    }
  }
  ASSERT_EQ(check.size(), 3U);
  Ran ran;
  run_script(check, ran);
}

}  // namespace
}  // namespace spillway::test
