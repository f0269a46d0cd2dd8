#include "model/text/utf8_stream.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "core/rng.h"

namespace spillway {
namespace {

std::string stream(std::string_view bytes) {
  Utf8Stream utf8;
  std::string text = utf8.push(bytes);
  return text + utf8.finish();
}

TEST(Utf8Stream, HoldsACharacterBackUntilItIsWhole) {
  Utf8Stream utf8;
  EXPECT_EQ(utf8.push("a\xf0\x9f"), "a");
  EXPECT_EQ(utf8.push("\x99"), "");
  EXPECT_EQ(utf8.push("\x82z"), "\U0001f642z");
  EXPECT_EQ(utf8.finish(), "");
}

TEST(Utf8Stream, EndsWithAReplacementWhenACharacterIsLeftOpen) {
  Utf8Stream utf8;
  EXPECT_EQ(utf8.push("x\xe4\xbd"), "x");
  EXPECT_EQ(utf8.finish(), "\ufffd");
  EXPECT_EQ(utf8.finish(), "");
}

TEST(Utf8Stream, ReplacesWhatCannotBeACharacter) {
  EXPECT_EQ(stream("a\xff\x62"), "a\ufffdb");
  EXPECT_EQ(stream("\x80"), "\ufffd");
  EXPECT_EQ(stream("\xe4\xbdz"), "\ufffdz");                          // a start that is not gone on with: one
  EXPECT_EQ(stream("\xc0\xaf"), "\ufffd\ufffd");                      // longer than needed
  EXPECT_EQ(stream("\xe0\x80\x80"), "\ufffd\ufffd\ufffd");            // the same
  EXPECT_EQ(stream("\xed\xa0\x80"), "\ufffd\ufffd\ufffd");            // a surrogate
  EXPECT_EQ(stream("\xf4\x90\x80\x80"), "\ufffd\ufffd\ufffd\ufffd");  // beyond U+10FFFF
  EXPECT_EQ(stream("\xc3\xc3\xa9"), "\ufffd\u00e9");
}

TEST(Utf8Stream, ReplacesNothingOfValidText) {
  const std::string_view text = "\u007f\u0080\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff";
  EXPECT_EQ(stream(text), text);
}

TEST(Utf8Stream, GivesTheSameHoweverTheBytesAreCut) {
  Rng rng(11);
  const std::string_view spice = "a\xc3\xa9\xe4\xbd\xa0\xf0\x9f\x99\x82\xed\xa0\xff";
  for (int round = 0; round < 2000; ++round) {
    std::string bytes;
    for (uint64_t i = rng.below(30); i > 0; --i) {
      bytes += spice[rng.below(spice.size())];
    }
    Utf8Stream utf8;
    std::string text;
    for (std::string_view rest = bytes; !rest.empty();) {
      const size_t some = 1 + rng.below(rest.size());
      text += utf8.push(rest.substr(0, some));
      rest.remove_prefix(some);
    }
    ASSERT_EQ(text + utf8.finish(), stream(bytes));
  }
}

}  // namespace
}  // namespace spillway
