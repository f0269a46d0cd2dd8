#include "model/text/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"
#include "core/rng.h"
#include "model/gguf/gguf.h"
#include "tests/model/small_vocabulary.h"
#include "tests/support/references.h"

namespace spillway {
namespace {

using Ids = std::vector<TokenId>;

const char* const kTrained = SPILLWAY_SOURCE_DIR "/bundled/tiny-moe-q4_0.gguf";

Result<Tokenizer> open_tokenizer(const std::string& path) {
  Result<Gguf> gguf = Gguf::open(path);
  if (!gguf) {
    return propagate(gguf);
  }
  Result<Vocabulary> vocabulary = read_vocabulary(gguf->metadata());
  return vocabulary ? Tokenizer::make(*vocabulary) : propagate(vocabulary);
}

std::string random_bytes(Rng& rng, uint64_t most) {
  std::string bytes;
  for (uint64_t i = rng.below(most); i > 0; --i) {
    bytes += char(rng.below(256));
  }
  return bytes;
}

void append_utf8(uint64_t code_point, std::string& out) {
  if (code_point < 0x80) {
    out += char(code_point);
    return;
  }
  const int more = code_point < 0x800 ? 1 : code_point < 0x10000 ? 2 : 3;
  out += char(uint64_t(0xf00 >> more & 0xff) | code_point >> (6 * more));
  for (int i = more - 1; i >= 0; --i) {
    out += char(0x80 | (code_point >> (6 * i) & 0x3f));
  }
}

std::string random_text(Rng& rng, uint64_t most) {
  constexpr uint64_t kBelow[] = {0x80, 0x80, 0x250, 0x3000, 0xd800, 0x110000};
  std::string text;
  for (uint64_t i = rng.below(most); i > 0; --i) {
    const uint64_t code_point = rng.below(kBelow[rng.below(6)]);
    append_utf8(code_point >= 0xd800 && code_point < 0xe000 ? 0xfffd : code_point, text);
  }
  return text;
}

// ---- against llama.cpp

class TokenizerOracle : public testing::TestWithParam<std::string> {};

std::vector<std::string> texts() {
  std::istringstream lines(test::read_file(test::reference_path("tokenizers/texts.hex")));
  std::vector<std::string> list;
  for (std::string line; std::getline(lines, line);) {
    std::string& text = list.emplace_back();
    for (size_t i = 0; i < line.size(); i += 2) {
      text += char(std::stoi(line.substr(i, 2), nullptr, 16));
    }
  }
  return list;
}

TEST_P(TokenizerOracle, GivesTheTokensOfLlamaCpp) {
  const test::TemporaryDirectory scratch;
  const std::string vocabulary = scratch / "vocabulary.gguf";
  std::ofstream(vocabulary, std::ios::binary) << test::unpacked("tokenizers/" + GetParam() + ".gguf");
  const Result<Tokenizer> tokenizer = open_tokenizer(vocabulary);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const Json ids = Json::parse(test::read_file(test::reference_path("tokenizers/" + GetParam() + ".json")));
  const std::vector<std::string> all = texts();
  EXPECT_GT(all.size(), 70U);
  ASSERT_EQ(ids.at("ids").size(), all.size());
  ASSERT_EQ(ids.at("ids_special").size(), all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    const std::string& text = all[i];
    const Ids plain = ids["ids"][i];
    const Ids special = ids["ids_special"][i];
    EXPECT_EQ(tokenizer->encode(text).value(), plain) << text;
    EXPECT_EQ(tokenizer->encode(text, ControlText::is_token).value(), special) << text;
    EXPECT_EQ(tokenizer->decode(plain), text);
    EXPECT_EQ(tokenizer->decode(special, /*with_control=*/true), text);
  }
  EXPECT_EQ(tokenizer->opening(), std::nullopt);
  EXPECT_TRUE(tokenizer->ends_generation(699));   // eos, <|im_end|>
  EXPECT_TRUE(tokenizer->ends_generation(697));   // <|endoftext|>, by its text
  EXPECT_FALSE(tokenizer->ends_generation(698));  // <|im_start|>
}

INSTANTIATE_TEST_SUITE_P(PreTokenizers, TokenizerOracle, testing::Values("qwen2", "qwen35", "olmo"),
                         [](const auto& chosen) { return chosen.param; });

// ---- a trained vocabulary against the definition

// Merges by the definition: looks up every pair of texts again after each merge.
class SlowTokenizer {
 public:
  explicit SlowTokenizer(const Vocabulary& vocabulary) {
    for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
      ids_[std::string(vocabulary.tokens[id])] = TokenId(id);
    }
    for (size_t rank = 0; rank < vocabulary.merges.size(); ++rank) {
      const std::string merge(vocabulary.merges[rank]);
      const size_t space = merge.find(' ');
      ranks_[{merge.substr(0, space), merge.substr(space + 1)}] = rank;
    }
  }

  Ids encode(std::string_view text) const {
    Ids ids;
    while (!text.empty()) {
      const size_t bytes = first_piece(PreTokenizer::qwen2, text);
      for (const std::string& symbol : merged(text.substr(0, bytes))) {
        ids.push_back(ids_.at(symbol));
      }
      text.remove_prefix(bytes);
    }
    return ids;
  }

 private:
  std::vector<std::string> merged(std::string_view piece) const {
    std::vector<std::string> symbols;
    for (const char byte : piece) {
      symbols.push_back(listed({&byte, 1}));
    }
    for (;;) {
      size_t best = std::numeric_limits<size_t>::max();
      size_t where = 0;
      for (size_t i = 0; i + 1 < symbols.size(); ++i) {
        const auto found = ranks_.find({symbols[i], symbols[i + 1]});
        if (found != ranks_.end() && found->second < best) {
          best = found->second;
          where = i;
        }
      }
      if (best == std::numeric_limits<size_t>::max()) {
        return symbols;
      }
      symbols[where] += symbols[where + 1];
      symbols.erase(symbols.begin() + std::ptrdiff_t(where) + 1);
    }
  }

  std::map<std::string, TokenId> ids_;
  std::map<std::pair<std::string, std::string>, size_t> ranks_;
};

class TrainedTokenizer : public testing::Test {
 protected:
  void SetUp() override {
    Result<Tokenizer> made = open_tokenizer(kTrained);
    ASSERT_TRUE(made) << made.error().message;
    tokenizer_.emplace(std::move(*made));
  }

  std::optional<Tokenizer> tokenizer_;
};

TEST_F(TrainedTokenizer, MergesAsTheDefinitionSays) {
  Result<Gguf> gguf = Gguf::open(kTrained);
  ASSERT_TRUE(gguf);
  const SlowTokenizer slow(read_vocabulary(gguf->metadata()).value());
  Rng rng(3);
  for (int round = 0; round < 300; ++round) {
    std::string text = random_text(rng, 30);
    for (uint64_t i = rng.below(30); i > 0; --i) {  // words made of tokens, in which merges compete
      text += tokenizer_->token_bytes(TokenId(rng.below(4093)));
    }
    ASSERT_EQ(tokenizer_->encode(text).value(), slow.encode(text)) << "round " << round;
  }
}

TEST_F(TrainedTokenizer, GivesBackAnyBytes) {
  Rng rng(5);
  for (int round = 0; round < 2000; ++round) {
    const std::string bytes = round % 2 == 0 ? random_bytes(rng, 200) : random_text(rng, 100);
    for (const ControlText control : {ControlText::is_text, ControlText::is_token}) {
      ASSERT_EQ(tokenizer_->decode(tokenizer_->encode(bytes, control).value(), true), bytes);
    }
  }
}

TEST_F(TrainedTokenizer, EncodesALongWordInLessThanSquareTime) {
  Rng rng(6);
  std::string word;
  while (word.size() < 1000000) {
    word += char('a' + rng.below(26));
  }
  const Ids ids = tokenizer_->encode(word).value();
  EXPECT_LT(ids.size(), word.size() * 3 / 4);
  EXPECT_EQ(tokenizer_->decode(ids), word);
  const std::string same(1000000, 'e');
  EXPECT_EQ(tokenizer_->decode(tokenizer_->encode(same).value()), same);
}

// ---- made by hand

TEST(Tokenizer, MergesTheLowestRankFirstAndOfEqualsTheLeftmost) {
  SmallVocabulary vocabulary;
  const TokenId bc = vocabulary.merge("b", "c");
  const TokenId ab = vocabulary.merge("a", "b");
  const TokenId aa = vocabulary.merge("a", "a");
  const Tokenizer tokenizer = Tokenizer::make(*vocabulary).value();
  EXPECT_EQ(tokenizer.encode("abc").value(), (Ids{'a', bc}));
  EXPECT_EQ(tokenizer.encode("abd").value(), (Ids{ab, 'd'}));
  EXPECT_EQ(tokenizer.encode("aaaaa").value(), (Ids{aa, aa, 'a'}));
  EXPECT_EQ(tokenizer.encode("aab").value(), (Ids{'a', ab}));
}

TEST(Tokenizer, MergesNothingAcrossPieces) {
  SmallVocabulary vocabulary;
  vocabulary.merge("a", " ");
  EXPECT_EQ(Tokenizer::make(*vocabulary)->encode("a b").value(), (Ids{'a', ' ', 'b'}));
}

TEST(Tokenizer, SplitsAtTheLongestSpecialFirstEvenWhenAShorterOneBeginsEarlier) {
  SmallVocabulary vocabulary;
  const TokenId brief = vocabulary.add("<a>", TokenType::control);
  const TokenId longer = vocabulary.add("><b>", TokenType::control);
  const Tokenizer tokenizer = Tokenizer::make(*vocabulary).value();
  EXPECT_EQ(tokenizer.encode("<a><b><a>", ControlText::is_token).value(), (Ids{'<', 'a', longer, brief}));
  EXPECT_EQ(tokenizer.encode("<a>", ControlText::is_text).value(), (Ids{'<', 'a', '>'}));
}

TEST(Tokenizer, AlwaysTakesUserDefinedTokensWhole) {
  SmallVocabulary vocabulary;
  const TokenId think = vocabulary.add("<think>", TokenType::user_defined);
  const TokenId spaces =
      vocabulary.add("    ", TokenType::user_defined);  // as it is, not in the alphabet of bytes
  const Tokenizer tokenizer = Tokenizer::make(*vocabulary).value();
  const Ids ids = tokenizer.encode("x    <think>").value();
  EXPECT_EQ(ids, (Ids{'x', spaces, think}));
  EXPECT_EQ(tokenizer.decode(ids), "x    <think>");
  EXPECT_FALSE(tokenizer.is_control(think));
}

TEST(Tokenizer, PrintsControlTokensOnlyWhenAsked) {
  SmallVocabulary vocabulary;
  const TokenId end = vocabulary.add("<|im_end|>", TokenType::control);
  const Tokenizer tokenizer = Tokenizer::make(*vocabulary).value();
  EXPECT_EQ(tokenizer.decode(Ids{'h', end, 'i'}), "hi");
  EXPECT_EQ(tokenizer.decode(Ids{'h', end, 'i'}, /*with_control=*/true), "h<|im_end|>i");
  EXPECT_TRUE(tokenizer.is_control(end));
  EXPECT_EQ(tokenizer.find_special("<|im_end|>"), end);
  EXPECT_EQ(tokenizer.find_special("h"), std::nullopt);
}

TEST(Tokenizer, SpellsEveryByteAndPrintsOtherTextsAsTheyAre) {
  SmallVocabulary vocabulary;
  const TokenId padding = vocabulary.add("[PAD日]", TokenType::unused);
  const TokenId broken = vocabulary.add("a\xe9", TokenType::normal);
  const Tokenizer tokenizer = Tokenizer::make(*vocabulary).value();
  for (int byte = 0; byte < 256; ++byte) {
    EXPECT_EQ(tokenizer.token_bytes(byte), std::string(1, char(byte)));
  }
  EXPECT_EQ(tokenizer.token_bytes(padding), "[PAD日]");
  EXPECT_EQ(tokenizer.token_bytes(broken), "a\xe9");
}

TEST(Tokenizer, KnowsWhatEndsAReply) {
  SmallVocabulary vocabulary;
  const TokenId text = vocabulary.add("<|endoftext|>", TokenType::control);
  const TokenId turn = vocabulary.add("<turn>", TokenType::control);
  vocabulary->eos = 'e';
  vocabulary->eot = uint32_t(turn);
  vocabulary->eom = 'm';
  vocabulary->bos = 'b';
  const Tokenizer tokenizer = Tokenizer::make(*vocabulary).value();
  for (const TokenId id : {TokenId('e'), turn, TokenId('m'), text}) {
    EXPECT_TRUE(tokenizer.ends_generation(id)) << id;
  }
  EXPECT_FALSE(tokenizer.ends_generation('b'));
  EXPECT_EQ(tokenizer.opening(), std::nullopt);
  vocabulary->add_bos = true;
  EXPECT_EQ(Tokenizer::make(*vocabulary)->opening(), TokenId('b'));
}

TEST(Tokenizer, SaysWhichByteHasNoToken) {
  SmallVocabulary vocabulary;
  vocabulary->tokens[0xf5] = "nothing";
  vocabulary.add("<x>", TokenType::user_defined);
  const Tokenizer tokenizer = Tokenizer::make(*vocabulary).value();
  const Result<Ids> ids = tokenizer.encode("ab<x>c \xf5");
  ASSERT_FALSE(ids);
  EXPECT_NE(ids.error().message.find("0xf5 at offset 7"), std::string::npos) << ids.error().message;
  EXPECT_TRUE(tokenizer.encode("ab"));
}

TEST(Tokenizer, RefusesVocabulariesThatContradictThemselves) {
  struct Case {
    std::string message;
    std::function<void(SmallVocabulary&)> damage;
  };
  const std::vector<Case> cases = {
      {"tokenizer.ggml.pre is 'unheard'", [](SmallVocabulary& v) { v->pre = "unheard"; }},
      {"tokens has 0 entries", [](SmallVocabulary& v) { v->tokens.clear(); }},
      {"token_type has 257 entries for the 256", [](SmallVocabulary& v) { v->types.push_back(1); }},
      {"token_type has 0 entries", [](SmallVocabulary& v) { v->types.clear(); }},
      {"token_type[9] is 7", [](SmallVocabulary& v) { v->types[9] = 7; }},
      {"token_type[9] is -1", [](SmallVocabulary& v) { v->types[9] = -1; }},
      {"tokens[256] is the same text as [97]", [](SmallVocabulary& v) { v.add("a", TokenType::control); }},
      {"merges[0] is not two tokens", [](SmallVocabulary& v) { v.merge_line("ab"); }},
      {"merges[0] is not two tokens", [](SmallVocabulary& v) { v.merge_line("a "); }},
      {"merges[0] is not two tokens", [](SmallVocabulary& v) { v.merge_line(" a"); }},
      {"merges[0] is not two tokens", [](SmallVocabulary& v) { v.merge_line(""); }},
      {"merges[0]: the left side", [](SmallVocabulary& v) { v.merge_line("xy z"); }},
      {"merges[0]: the right side", [](SmallVocabulary& v) { v.merge_line("x yz"); }},
      {"merges[0]: the result", [](SmallVocabulary& v) { v.merge_line("x y"); }},
      {"merges[1] appears twice",
       [](SmallVocabulary& v) {
         v.merge("x", "y");
         v.merge_line("x y");
       }},
      {"eos_token_id is 256", [](SmallVocabulary& v) { v->eos = 256; }},
      {"bos_token_id is 4294967295", [](SmallVocabulary& v) { v->bos = 0xffffffff; }},
      {"bos_token_id is missing", [](SmallVocabulary& v) { v->add_bos = true; }},
  };
  for (const Case& each : cases) {
    SmallVocabulary vocabulary;
    ASSERT_TRUE(Tokenizer::make(*vocabulary));
    each.damage(vocabulary);
    const Result<Tokenizer> made = Tokenizer::make(*vocabulary);
    ASSERT_FALSE(made) << each.message;
    EXPECT_NE(made.error().message.find(each.message), std::string::npos) << made.error().message;
  }
}

TEST(Tokenizer, SurvivesRandomVocabularies) {
  Rng rng(17);
  int accepted = 0;
  for (int round = 0; round < 500; ++round) {
    SmallVocabulary vocabulary(rng.below(2) == 0 ? "qwen2" : "olmo");
    for (uint64_t i = rng.below(8); i > 0; --i) {
      vocabulary.add(random_bytes(rng, 4), TokenType(1 + rng.below(6)));
    }
    for (uint64_t i = rng.below(8); i > 0; --i) {
      const std::string left(1, char('a' + rng.below(3)));
      const std::string right(1, char('a' + rng.below(3)));
      rng.below(20) == 0 ? vocabulary.merge_line(random_bytes(rng, 6)) : void(vocabulary.merge(left, right));
    }
    const Result<Tokenizer> made = Tokenizer::make(*vocabulary);
    if (!made) {
      continue;
    }
    ++accepted;
    const std::string bytes = random_bytes(rng, 100) + "abcabcaabbcc";
    const Result<Ids> ids = made->encode(bytes, ControlText::is_token);
    ASSERT_TRUE(ids) << ids.error().message;
    EXPECT_EQ(made->decode(*ids, true), bytes);
  }
  EXPECT_GT(accepted, 50);
}

}  // namespace
}  // namespace spillway
