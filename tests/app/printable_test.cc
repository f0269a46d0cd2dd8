#include "app/cli/printable.h"

#include <gtest/gtest.h>

namespace spillway {
namespace {

TEST(Printable, LeavesTextOfAnyLanguageAlone) {
  for (const char* text :
       {"", "Qwen3-30B-A3B-Q4_K_M.gguf", "48 layers × 128 experts", "模型", "🦙 tilde~"}) {
    EXPECT_EQ(printable(text), text);
  }
}

TEST(Printable, ShowsWhatATerminalWouldObey) {
  EXPECT_EQ(printable("\x1b[2Jmodel\x07"), "\\x1b[2Jmodel\\x07");
  EXPECT_EQ(printable("one\ntwo\r\t\x7f"), "one\\x0atwo\\x0d\\x09\\x7f");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\xc2\\x9b31m")
      << "the one-character form of ESC [";
  EXPECT_EQ(printable("gpj.\xe2\x80\xae"
                      "exe"),
            "gpj.\\xe2\\x80\\xaeexe")
      << "right-to-left override";
}

TEST(Printable, ShowsWhatCannotBeSeen) {
  EXPECT_EQ(printable("a\xd8\x9c"), "a\\xd8\\x9c") << "Arabic letter mark";
  EXPECT_EQ(printable("lru\xe2\x80\x8b"), "lru\\xe2\\x80\\x8b") << "zero-width space";
  EXPECT_EQ(printable("\xe2\x80\x8c\xe2\x80\x8d\xe2\x81\xa0"),
            "\\xe2\\x80\\x8c\\xe2\\x80\\x8d\\xe2\\x81\\xa0")
      << "joiners";
  EXPECT_EQ(printable("\xef\xbb\xbfname"), "\\xef\\xbb\\xbfname") << "byte order mark";
  EXPECT_EQ(printable("\xf3\xa0\x80\x81\xf3\xa0\x81\xbf"), "\\xf3\\xa0\\x80\\x81\\xf3\\xa0\\x81\\xbf")
      << "tags";
}

TEST(Printable, TellsWhatItEscapedFromWhatSaysSoItself) {
  EXPECT_EQ(printable("\\x1b"), "\\x5cx1b");
  EXPECT_NE(printable("\\x1b"), printable("\x1b"));
}

TEST(Printable, ShowsBytesThatAreNotUtf8) {
  EXPECT_EQ(printable("\xff\xfe"), "\\xff\\xfe");
  EXPECT_EQ(printable("cut \xe6\xa8"), "cut \\xe6\\xa8");
  EXPECT_EQ(printable("\xc0\x9b"), "\\xc0\\x9b") << "an overlong ESC";
  EXPECT_EQ(printable("\xe0\x82\x9b"), "\\xe0\\x82\\x9b");
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate";
  EXPECT_EQ(printable("\x9b"), "\\x9b");
}

}  // namespace
}  // namespace spillway
