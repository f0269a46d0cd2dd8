#include <gtest/gtest.h>

#include "core/json.h"
#include "tests/support/program.h"

namespace spillway::test {
namespace {

// Runs the program in a home of its own.
class CliCache : public testing::Test {
 protected:
  Ran at_home(std::vector<std::string> arguments, const std::vector<std::string>& variables = {}) {
    std::vector<std::string> words = {"/usr/bin/env", "-u", "XDG_CACHE_HOME", "HOME=" + home_.path()};
    words.insert(words.end(), variables.begin(), variables.end());
    words.push_back(SPILLWAY_BINARY);
    words.insert(words.end(), arguments.begin(), arguments.end());
    return Program(words).wait();
  }

  std::string trace(const std::string& layers, const std::string& expert_bytes) {
    const std::string path = home_ / "trace-" + layers + ".bin";
    const Ran made = spillway({"trace", "synth", "--layers", layers, "--experts", "16", "--top-k", "4",
                               "--expert-bytes", expert_bytes, "--tokens", "8", "-o", path});
    EXPECT_EQ(made.status, 0) << made.err;
    return path;
  }

  TemporaryDirectory home_;
};

TEST_F(CliCache, AStoreIsAnnouncedOnceListedAndRemoved) {
  const std::string small = trace("2", "64KiB");
  const std::vector<std::string> replay = {"replay",    small,   "--cache",   "512KiB",
                                           "--backend", "pread", "--no-probe"};
  const Ran first = at_home(replay);
  ASSERT_EQ(first.status, 0) << first.err;
  expect_one_line(first, 0,
                  {"makes a store of", home_ / ".cache/spillway", "trial write", "spillway cache clean"});
  EXPECT_EQ(at_home(replay).err, "");
  const Ran listed = at_home({"cache", "list", "--json", "-"});
  const Json list = Json::parse(listed.out, nullptr, false);
  ASSERT_EQ(list["stores"].size(), 1U) << listed.out << listed.err;
  EXPECT_EQ(list["stores"][0]["layers"], 2);

  write_file(home_ / ".cache/spillway/notes", "not a store");
  expect_one_line(at_home({"cache", "clean"}), 2, {"spillway cache clean --yes"});
  EXPECT_EQ(at_home({"cache", "clean", "--older", "1d", "--yes"}).status, 0);
  EXPECT_EQ(Json::parse(at_home({"cache", "list", "--json", "-"}).out)["stores"].size(), 1U);
  const std::string name = list["stores"][0]["name"];
  EXPECT_EQ(at_home({"cache", "clean", name, "--yes"}).status, 0);
  EXPECT_TRUE(Json::parse(at_home({"cache", "list", "--json", "-"}).out)["stores"].empty());
  EXPECT_EQ(read_file(home_ / ".cache/spillway/notes"), "not a store");
}

TEST_F(CliCache, ALargeStoreNeedsAYesOrAPlace) {
  const std::string large = trace("40", "8MB");
  expect_one_line(
      at_home({"replay", large, "--cache", "100MB", "--backend", "pread"}), 2,
      {"5.12 GB", "spillway replay " + large + " --cache 100MB --backend pread --yes", "--store DIR"});
  expect_one_line(at_home({"gap", large, "--cache", "100MB", "--backend", "pread"}), 2, {"--yes", "5.12 GB"});
  EXPECT_FALSE(std::filesystem::exists(home_ / ".cache"));
}

TEST_F(CliCache, ATerminalIsAsked) {
  if (::access("/usr/bin/script", X_OK) != 0) {
    GTEST_SKIP() << "no script(1), which gives a program a terminal";
  }
  const auto answered = [&](const std::string& answer, const std::string& command) {
    const std::string line = "HOME=" + home_.path() + " " SPILLWAY_BINARY " " + command;
    return Program(
               {"/bin/sh", "-c",
                "unset XDG_CACHE_HOME; echo " + answer + " | /usr/bin/script -qec '" + line + "' /dev/null"})
        .wait();
  };
  const std::string large = trace("40", "8MB");
  const Ran refused = answered("n", "replay " + large + " --cache 100MB --backend pread");
  EXPECT_EQ(refused.status, 1) << refused.out;
  EXPECT_NE(refused.out.find("makes a store of 5.12 GB"), std::string::npos) << refused.out;
  EXPECT_NE(refused.out.find("Make it? [y/N]"), std::string::npos) << refused.out;
  EXPECT_NE(refused.out.find("no store was made"), std::string::npos) << refused.out;

  const Ran made =
      at_home({"replay", trace("1", "64KiB"), "--cache", "512KiB", "--backend", "pread", "--no-probe"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_EQ(answered("no", "cache clean").status, 1);
  EXPECT_EQ(Json::parse(at_home({"cache", "list", "--json", "-"}).out)["stores"].size(), 1U);
  const Ran cleaned = answered("y", "cache clean");
  EXPECT_EQ(cleaned.status, 0) << cleaned.out;
  EXPECT_NE(cleaned.out.find("in 1 file of "), std::string::npos) << cleaned.out;
  EXPECT_TRUE(Json::parse(at_home({"cache", "list", "--json", "-"}).out)["stores"].empty());
}

TEST_F(CliCache, AHomelessUserLearnsWhatToSet) {
  const std::string small = trace("1", "64KiB");
  for (const char* home : {"HOME=", "HOME=relative/path"}) {
    expect_one_line(at_home({"cache", "list"}, {home}), 1, {"XDG_CACHE_HOME", "HOME", "--dir DIR"});
    expect_one_line(at_home({"cache", "clean", "--yes"}, {home}), 1, {"HOME", "--dir DIR"});
    expect_one_line(at_home({"replay", small, "--cache", "1MB"}, {home}), 1, {"HOME", "--store DIR"});
  }
  EXPECT_EQ(at_home({"cache", "list"}, {"HOME=", "XDG_CACHE_HOME=" + home_.path()}).status, 0);
  // A relative XDG_CACHE_HOME does not count, as its standard says.
  EXPECT_NE(at_home({"cache", "list"}, {"XDG_CACHE_HOME=here"}).out.find(home_ / ".cache"),
            std::string::npos);
  EXPECT_EQ(at_home({"cache", "list", "--dir", home_.path()}, {"HOME="}).status, 0);
}

}  // namespace
}  // namespace spillway::test
