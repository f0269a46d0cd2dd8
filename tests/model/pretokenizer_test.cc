#include "model/text/pretokenizer.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/rng.h"

namespace spillway {
namespace {

using Words = std::vector<std::string>;

Words pieces(PreTokenizer how, std::string_view text) {
  Words list;
  while (!text.empty()) {
    const size_t bytes = first_piece(how, text);
    list.emplace_back(text.substr(0, bytes));
    text.remove_prefix(bytes);
  }
  return list;
}

Words qwen2(std::string_view text) {
  return pieces(PreTokenizer::qwen2, text);
}
Words qwen35(std::string_view text) {
  return pieces(PreTokenizer::qwen35, text);
}
Words gpt2(std::string_view text) {
  return pieces(PreTokenizer::gpt2, text);
}

TEST(PreTokenizer, IsFoundByTheNameInTheFile) {
  EXPECT_EQ(find_pre_tokenizer("qwen2").value(), PreTokenizer::qwen2);
  EXPECT_EQ(find_pre_tokenizer("qwen35").value(), PreTokenizer::qwen35);
  EXPECT_EQ(find_pre_tokenizer("olmo").value(), PreTokenizer::gpt2);
  EXPECT_EQ(find_pre_tokenizer("gpt-2").value(), PreTokenizer::gpt2);
}

TEST(PreTokenizer, OfAnUnknownNameIsRefusedWithTheKnownOnes) {
  const Result<PreTokenizer> found = find_pre_tokenizer("tekken");
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().message.find("'tekken'"), std::string::npos) << found.error().message;
  EXPECT_NE(found.error().message.find("qwen35, olmo"), std::string::npos) << found.error().message;
}

TEST(PreTokenizer, LetsOneCharacterLeadAWord) {
  EXPECT_EQ(qwen2("Hello world"), (Words{"Hello", " world"}));
  EXPECT_EQ(qwen2("(foo_bar)"), (Words{"(foo", "_bar", ")"}));
  EXPECT_EQ(qwen2("a  b"), (Words{"a", " ", " b"}));
  EXPECT_EQ(qwen2("\ttab"), (Words{"\ttab"}));
  EXPECT_EQ(qwen2("\nline"), (Words{"\n", "line"}));
  EXPECT_EQ(qwen2("\u00a0x"), (Words{"\u00a0x"}));
}

TEST(PreTokenizer, CutsContractionsOffInAnyCase) {
  EXPECT_EQ(qwen2("it's IT'S"), (Words{"it", "'s", " IT", "'S"}));
  EXPECT_EQ(qwen2("they'Re we'LL"), (Words{"they", "'Re", " we", "'LL"}));
  EXPECT_EQ(qwen2("'sound"), (Words{"'s", "ound"}));
  EXPECT_EQ(qwen2("'x"), (Words{"'x"}));
  EXPECT_EQ(qwen2("'r"), (Words{"'r"}));
  EXPECT_EQ(qwen2("'"), (Words{"'"}));
}

TEST(PreTokenizer, TakesQwensNumbersOneByOne) {
  EXPECT_EQ(qwen2("x12 3"), (Words{"x", "1", "2", " ", "3"}));
  EXPECT_EQ(qwen2("①½"), (Words{"①", "½"}));
}

TEST(PreTokenizer, TakesPunctuationWithASpaceBeforeAndLineEndsBehind) {
  EXPECT_EQ(qwen2("a !=\r\n\nb"), (Words{"a", " !=\r\n\n", "b"}));
  EXPECT_EQ(qwen2("  {"), (Words{" ", " {"}));
  EXPECT_EQ(qwen2("\t{"), (Words{"\t", "{"}));
}

TEST(PreTokenizer, CutsWhitespaceAfterItsLastLineEnd) {
  EXPECT_EQ(qwen2(" \n \n  x"), (Words{" \n \n", " ", " x"}));
  EXPECT_EQ(qwen2("x\n   "), (Words{"x", "\n", "   "}));
  EXPECT_EQ(qwen2("   "), (Words{"   "}));
  EXPECT_EQ(qwen2("  \u3000\u30001"), (Words{"  \u3000", "\u3000", "1"}));
}

TEST(PreTokenizer, TakesMarksForLettersInQwen35Only) {
  const std::string word = "le\u0300ve";
  EXPECT_EQ(qwen2(word), (Words{"le", "\u0300ve"}));
  EXPECT_EQ(qwen35(word), (Words{word}));
  EXPECT_EQ(qwen2("!\u0301"), (Words{"!\u0301"}));
  EXPECT_EQ(qwen35("!\u0301"), (Words{"!\u0301"}));
  EXPECT_EQ(qwen2(" !!\u0301"), (Words{" !!\u0301"}));
  EXPECT_EQ(qwen35(" !!\u0301"), (Words{" !!", "\u0301"}));
}

TEST(PreTokenizer, OfGpt2KeepsNumbersTogetherAndCase) {
  EXPECT_EQ(gpt2("it's IT'S 12345"), (Words{"it", "'s", " IT", "'", "S", " 12345"}));
  EXPECT_EQ(gpt2("(foo)\n\nbar"), (Words{"(", "foo", ")", "\n", "\n", "bar"}));
  EXPECT_EQ(gpt2("a   b\n "), (Words{"a", "  ", " b", "\n "}));
}

TEST(PreTokenizer, TakesEveryWhitespaceOfUnicodeForWhitespace) {
  for (const std::string_view space : {"\t", "\v", "\f", " ", "\u0085", "\u00a0", "\u1680", "\u2000",
                                       "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"}) {
    EXPECT_EQ(qwen2(std::string(space) + " 1"), (Words{std::string(space), " ", "1"}));
  }
  for (const std::string_view none : {"\u200b", "\u180e", "\ufeff", "\x1c"}) {
    EXPECT_EQ(qwen2(" " + std::string(none) + "1"), (Words{" " + std::string(none), "1"}));
  }
}

TEST(PreTokenizer, CountsABrokenByteAsPunctuation) {
  EXPECT_EQ(qwen2("a\xff\xfe b"), (Words{"a", "\xff\xfe", " b"}));
  EXPECT_EQ(qwen2("\xc3"), (Words{"\xc3"}));
  EXPECT_EQ(qwen2("1\xe4\xbd"), (Words{"1", "\xe4\xbd"}));
  EXPECT_EQ(qwen2("\xed\xa0\x80"), (Words{"\xed\xa0\x80"}));
}

TEST(PreTokenizer, CutsAnyBytesWithoutLosingOne) {
  Rng rng(7);
  const std::string_view spice =
      " \n\r\t'sStTreLl01aZ.!\xc3\xa9\xcc\x81\xe4\xbd\xa0\xf0\x9f\x99\x82\xe2\x80\x83\xff";
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (uint64_t i = rng.below(40); i > 0; --i) {
      text += rng.below(8) == 0 ? char(rng.below(256)) : spice[rng.below(spice.size())];
    }
    for (const PreTokenizer how : {PreTokenizer::gpt2, PreTokenizer::qwen2, PreTokenizer::qwen35}) {
      std::string joined;
      for (const std::string& piece : pieces(how, text)) {
        ASSERT_FALSE(piece.empty());
        joined += piece;
      }
      ASSERT_EQ(joined, text);
    }
  }
}

}  // namespace
}  // namespace spillway
