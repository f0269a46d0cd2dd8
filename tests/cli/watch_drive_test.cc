#include <gtest/gtest.h>

#include <filesystem>

#include "core/json.h"
#include "tests/support/program.h"

namespace spillway::test {
namespace {

class WatchDrive : public testing::Test {
 protected:
  void SetUp() override {
    const Ran made = spillway({"trace", "synth", "--layers", "4", "--experts", "16", "--top-k", "4",
                               "--expert-bytes", "256KiB", "--tokens", "40", "--seed", "1", "-o", trace_});
    ASSERT_EQ(made.status, 0) << made.err;
  }

  Ran replay(std::vector<std::string> more) const {
    std::vector<std::string> words = {"replay",     trace_,    "--cache",      "2MB",
                                      "--no-probe", "--store", directory_ / ""};
    words.insert(words.end(), more.begin(), more.end());
    return spillway(words);
  }

  const TemporaryDirectory directory_;
  const std::string trace_ = directory_ / "trace.bin";
  const std::string profile_ = directory_ / "now.json";
};

TEST_F(WatchDrive, WritesAProfileOfTheDriveThatSimulateTakes) {
  const Ran ran =
      replay({"--backend", "pread:direct=1", "--watch-drive", profile_, "--json", directory_ / "r.json"});
  if (ran.status == 77) {
    GTEST_SKIP() << ran.err;
  }
  if (ran.status == 1 && ran.err.find("came from a drive") != std::string::npos) {
    GTEST_SKIP() << "the temporary directory is no drive: " << ran.err;
  }
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Ran simulated = spillway({"simulate", trace_, "--device", profile_, "--cache", "2MB", "--json", "-"});
  ASSERT_EQ(simulated.status, 0) << simulated.err;
  const Json real = Json::parse(read_file(directory_ / "r.json"));
  EXPECT_EQ(Json::parse(simulated.out)["digest"], real["digest"]);
  // The reads of the watch do not count as the run's.
  EXPECT_LE(real["io"]["device_bytes"].is_number() ? real["io"]["device_bytes"].get<uint64_t>() : 0,
            2 * real["io"]["read_bytes"].get<uint64_t>());
}

TEST_F(WatchDrive, IsRefusedWhereItMakesNoSense) {
  expect_one_line(replay({"--backend", "pread", "--watch-drive", profile_}), 2, {"--watch-drive", "pread"});
  expect_one_line(replay({"--backend", "pread:direct=1", "--watch-drive", "-"}), 2,
                  {"--watch-drive", "stdout"});
  expect_one_line(replay({"--backend", "pread:direct=1", "--watch-drive", profile_, "--json", profile_}), 2,
                  {"--watch-drive", profile_});
  EXPECT_FALSE(std::filesystem::exists(profile_));
}

TEST_F(WatchDrive, NeverTakesThePlaceOfTheStore) {
  const Ran made = replay({"--backend", "pread:direct=1", "--tokens", "1"});
  if (made.status == 77) {
    GTEST_SKIP() << made.err;
  }
  ASSERT_EQ(made.status, 0) << made.err;
  std::string store;
  for (const auto& entry : std::filesystem::directory_iterator(directory_ / "")) {
    store = entry.path().extension() == ".store" ? entry.path().string() : store;
  }
  ASSERT_NE(store, "");
  const auto bytes = std::filesystem::file_size(store);
  expect_one_line(replay({"--backend", "pread:direct=1", "--watch-drive", store}), 2,
                  {"--watch-drive", store});
  EXPECT_EQ(std::filesystem::file_size(store), bytes);
}

}  // namespace
}  // namespace spillway::test
