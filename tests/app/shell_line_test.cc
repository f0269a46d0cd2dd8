#include "app/cli/shell_line.h"

#include <gtest/gtest.h>

#include <vector>

namespace spillway {
namespace {

TEST(ShellLine, QuotesWhatAShellWouldTakeApart) {
  const auto line = [](const std::vector<std::string>& words) { return shell_line(words); };
  EXPECT_EQ(line({"replay", "a/b-c_d.bin", "--device=2xlinear:latency=80us,x=1%"}),
            "replay a/b-c_d.bin --device=2xlinear:latency=80us,x=1%");
  EXPECT_EQ(line({"two words", "", "$HOME", "a\\b"}), "'two words' '' '$HOME' 'a\\b'");
  EXPECT_EQ(line({"it's"}), "'it'\\''s'");
  EXPECT_EQ(line({"it's\n\x1b[31m"}), "$'it\\047s\\012\\033[31m'")
      << "one line, and nothing a terminal obeys";
  EXPECT_EQ(line({}), "");
}

}  // namespace
}  // namespace spillway
