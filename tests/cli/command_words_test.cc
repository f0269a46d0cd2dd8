#include <gtest/gtest.h>

#include "core/json.h"
#include "tests/support/program.h"

// What people type, and what they are told when it is not quite what the program knows.
namespace spillway::test {
namespace {

const std::string kTrace = SPILLWAY_SOURCE_DIR "/bundled/tiny-moe.trace.bin";

TEST(CommandWords, AMisspeltWordIsNamedWithWhatWasProbablyMeant) {
  const auto expect = [](const std::vector<std::string>& words, const std::vector<std::string>& mentions) {
    expect_one_line(spillway(words), 2, mentions);
  };
  expect({"repaly", kTrace}, {"'spillway repaly'", "did you mean 'replay'"});
  expect({"replay", kTrace, "--cahce", "4GB"}, {"--cahce", "did you mean --cache"});
  expect({"replay", kTrace, "--cache", "1GB", "--evcit", "lru"}, {"--evcit", "did you mean --evict"});
  expect({"replay", kTrace, "--cache=1GB", "--evict=lro"}, {"'lro'", "did you mean 'lru'"});
  expect({"simulate", kTrace, "--backend", "uring", "--cache", "1GB"}, {"--backend", "--device"});
  expect({"replay", kTrace, "--device", "nvme-gen4", "--cache", "1GB"}, {"--device", "--backend"});
  expect({"curve", kTrace, "--watch-drive", "x"}, {"--watch-drive", "an option of replay"});
  EXPECT_EQ(spillway({"plan", "--model", "qwen3.5-122b", "--device", "m4-max"}).status, 0);
  expect({"plan", "--model", "qwen3.5"}, {"part of several models", "qwen3.5-122b-a10b"});
  expect({"plan", "--model", "qwen3.5-122b", "--ram", "64"}, {"64GB was probably meant"});
}

TEST(CommandWords, HelpAndVersionAreFoundWhereOthersHaveThem) {
  EXPECT_EQ(spillway({"help", "replay"}).out, spillway({"replay", "--help"}).out);
  EXPECT_EQ(spillway({"help"}).out, spillway({"--help"}).out);
  const std::string version = spillway({"--version"}).out;
  EXPECT_FALSE(version.empty());
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"version"}, {"-V"}, {"replay", "--version"}}) {
    EXPECT_EQ(spillway(words).out, version);
  }
}

TEST(CommandWords, ACacheMayBeAShareOfAllExperts) {
  const auto hits = [&](const char* cache) {
    const Ran ran = spillway({"simulate", kTrace, "--device", "linear", "--cache", cache, "--json", "-"});
    EXPECT_EQ(ran.status, 0) << ran.err;
    return Json::parse(ran.out);
  };
  const Json half = hits("50%");
  const Json all = hits("100%");
  EXPECT_EQ(std::stoull(half["config"]["cache_bytes"].get<std::string>()) * 2,
            std::stoull(all["config"]["cache_bytes"].get<std::string>()));
  expect_one_line(spillway({"simulate", kTrace, "--device", "linear", "--cache", "150%"}), 2, {"150%"});
}

}  // namespace
}  // namespace spillway::test
