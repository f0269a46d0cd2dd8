#include <algorithm>

#include "tests/support/program.h"

namespace spillway::test {
namespace {

bool is_there(const std::string& command) {
  return std::system(("command -v " + command + " >/dev/null 2>&1").c_str()) == 0;
}

// In a shell as a user has it: a line and a tab are typed, and the line read that the shell makes of them.
void expect_completed(const std::string& shell) {
  if (!is_there("python3")) {
    GTEST_SKIP() << "python3 is not installed";
  }
  const TemporaryDirectory folder;
  std::ofstream(folder / "trace.bin") << "any";
  std::filesystem::create_directory(folder / "results");
  const Ran ran =
      Program({"/usr/bin/env", "python3", SPILLWAY_SOURCE_DIR "/tests/cli/press_tab.py", shell,
               SPILLWAY_BINARY, folder.path(), "spillway simu", "spillway trace syn", "replay --backend=ur",
               "spillway replay --backend uring:dep", "replay tra", "spillway sweep --output=res"})
          .wait();
  if (ran.status == 77) {
    GTEST_SKIP() << ran.err;
  }
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.out,
            "spillway simulate \n"
            "spillway trace synth \n"
            "replay --backend=uring \n"
            "spillway replay --backend uring:depth=\n"
            "replay trace.bin \n"
            "spillway sweep --output=results/\n");
}

TEST(CliCompletion, CompletesInBash) {
  expect_completed("bash");
}

TEST(CliCompletion, CompletesInZsh) {
  expect_completed("zsh");
}

TEST(CliCompletion, CompletesInFish) {
  expect_completed("fish");
}

TEST(CliCompletion, TellsNamesWithTheirMeaning) {
  const Ran ran = spillway({"complete", "--", "replay", "--backend", "ur"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_TRUE(ran.out.starts_with("uring\t")) << ran.out;
  EXPECT_EQ(spillway({"complete", "--", "plan", "--model", "qwen3-30b"}).out.substr(0, 14),
            "qwen3-30b-a3b\t");
  EXPECT_EQ(spillway({"complete", "--", "replay", ""}).out, ":files\n");
  // For programs: neither the help nor a page has it.
  EXPECT_EQ(spillway({"--help"}).out.find("\n  complete "), std::string::npos);
}

TEST(CliCompletion, RefusesAShellThatItDoesNotKnow) {
  expect_one_line(spillway({"completions", "dos"}), 2, {"bash", "zsh", "fish"});
}

TEST(CliMan, PagesRenderWithoutWarnings) {
  const TemporaryDirectory folder;
  const Ran made = spillway({"man", "--date", "2026-12-01", "-o", folder / "man1"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "man1/replay.1"));
  size_t pages = 0;
  for (const auto& page : std::filesystem::directory_iterator(folder / "man1")) {
    ++pages;
    for (const std::string check : {"mandoc -Tlint -Wwarning", "groff -man -ww -z -Kutf8"}) {
      if (is_there(check.substr(0, check.find(' ')))) {
        const Ran ran = Program({"/bin/sh", "-c", check + " '" + page.path().string() + "'"}).wait();
        EXPECT_EQ(ran.status, 0) << check;
        EXPECT_EQ(ran.out + ran.err, "");
      }
    }
  }
  EXPECT_GT(pages, 20U);
}

TEST(CliMan, PrintsThePageOfACommand) {
  EXPECT_NE(spillway({"man", "trace", "synth"}).out.find(".TH SPILLWAY\\-TRACE\\-SYNTH 1 "),
            std::string::npos);
  EXPECT_NE(spillway({"man"}).out.find(".TH SPILLWAY 1 "), std::string::npos);
  expect_one_line(spillway({"man", "trace", "nothing"}), 2, {"spillway trace nothing"});
}

}  // namespace
}  // namespace spillway::test
