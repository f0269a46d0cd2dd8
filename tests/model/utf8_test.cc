#include "model/text/utf8.h"

#include <gtest/gtest.h>

namespace spillway {
namespace {

TEST(Utf8, ReadsEachCharacterThatItWrites) {
  for (uint32_t code = 0; code <= 0x10FFFF; code += code < 0x3000 ? 1 : 97) {
    if (code >= 0xD800 && code <= 0xDFFF) {
      continue;  // surrogates are no characters
    }
    std::string text;
    append_character(code, text);
    text += "\xff";
    const Character read = first_character(text);
    ASSERT_EQ(read.code, code);
    ASSERT_EQ(read.bytes, text.size() - 1);
    for (size_t cut = 1; cut < read.bytes; ++cut) {
      ASSERT_EQ(first_character(text.substr(0, cut)).bytes, 0U) << code;
      ASSERT_EQ(begun_bytes(text.substr(0, cut)), cut) << code;
      ASSERT_EQ(begun_bytes(text.substr(0, cut) + "\xff"), cut) << code;
    }
  }
}

TEST(Utf8, FindsNoCharacterWhereThereIsNone) {
  for (const char* text :
       {"", "\x80", "\xff", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    EXPECT_EQ(first_character(text).bytes, 0U) << text;
  }
  EXPECT_EQ(begun_bytes("\x80"), 0U);
  EXPECT_EQ(begun_bytes("\xc0\xaf"), 0U) << "a longer form than needed";
  EXPECT_EQ(begun_bytes("\xed\xa0\x80"), 1U) << "a surrogate";
  EXPECT_EQ(begun_bytes("\xf4\x90\x80\x80"), 1U) << "beyond U+10FFFF";
}

TEST(Utf8, KnowsHowWideATextIs) {
  EXPECT_EQ(display_width(""), 0U);
  EXPECT_EQ(display_width("48 × 128"), 8U);
  EXPECT_EQ(display_width("模型"), 4U);
  EXPECT_EQ(display_width("e\u0301"), 1U) << "a letter with an accent over it";
  EXPECT_EQ(display_width("a\xff\xe6\xa8"), 4U) << "bytes that are no characters";
}

}  // namespace
}  // namespace spillway
