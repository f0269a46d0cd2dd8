#include "model/text/vocabulary.h"

#include <gtest/gtest.h>

#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace spillway {
namespace {

GgufValue texts(std::initializer_list<std::string_view> list) {
  StringArray array;
  for (const std::string_view text : list) {
    array.push_back(text);
  }
  return array;
}

GgufValue numbers(const std::vector<int32_t>& list) {
  std::vector<std::byte> bytes(list.size() * sizeof(int32_t));
  std::memcpy(bytes.data(), list.data(), bytes.size());
  return NumberArray(GgufType::i32, std::move(bytes));
}

// Returns the keys of a small model, except the key `without`.
GgufMetadata metadata(std::string_view without = "") {
  GgufMetadata keys("some.gguf");
  const auto add = [&](std::string name, GgufValue value) {
    if (name != without) {
      EXPECT_TRUE(keys.add("tokenizer.ggml." + name, std::move(value)));
    }
  };
  add("model", std::string("gpt2"));
  add("pre", std::string("qwen35"));
  add("tokens", texts({"a", "b", "ab", "<end>"}));
  add("token_type", numbers({1, 1, 1, 3}));
  add("merges", texts({"a b"}));
  add("eos_token_id", uint64_t{3});
  return keys;
}

TEST(Vocabulary, IsReadFromTheKeys) {
  GgufMetadata keys = metadata();
  keys.add("tokenizer.ggml.bos_token_id", uint64_t{0});
  keys.add("tokenizer.ggml.eot_token_id", uint64_t{1});
  keys.add("tokenizer.ggml.eom_token_id", uint64_t{2});
  keys.add("tokenizer.ggml.add_bos_token", true);
  const Vocabulary vocabulary = read_vocabulary(keys).value();
  EXPECT_EQ(vocabulary.pre, "qwen35");
  EXPECT_EQ(vocabulary.tokens, (std::vector<std::string_view>{"a", "b", "ab", "<end>"}));
  EXPECT_EQ(vocabulary.types, (std::vector<int32_t>{1, 1, 1, 3}));
  EXPECT_EQ(vocabulary.merges, (std::vector<std::string_view>{"a b"}));
  EXPECT_EQ(vocabulary.bos, 0U);
  EXPECT_EQ(vocabulary.eos, 3U);
  EXPECT_EQ(vocabulary.eot, 1U);
  EXPECT_EQ(vocabulary.eom, 2U);
  EXPECT_TRUE(vocabulary.add_bos);
}

TEST(Vocabulary, NeedsNoTokensThatEndOrBegin) {
  const GgufMetadata keys = metadata("eos_token_id");
  const Vocabulary vocabulary = read_vocabulary(keys).value();
  EXPECT_EQ(vocabulary.bos, std::nullopt);
  EXPECT_EQ(vocabulary.eos, std::nullopt);
  EXPECT_FALSE(vocabulary.add_bos);
}

TEST(Vocabulary, NamesTheKeyThatIsMissing) {
  for (const std::string name : {"model", "pre", "tokens", "merges"}) {
    const GgufMetadata keys = metadata(name);
    const Result<Vocabulary> vocabulary = read_vocabulary(keys);
    ASSERT_FALSE(vocabulary) << name;
    EXPECT_NE(vocabulary.error().message.find("tokenizer.ggml." + name), std::string::npos)
        << vocabulary.error().message;
  }
}

TEST(Vocabulary, TakesTheArchitecturesPreTokenizerWhereNoneIsNamed) {
  for (const auto& [architecture, pre] : {std::pair<std::string, std::string>{"qwen3moe", "qwen2"},
                                          {"qwen35moe", "qwen35"},
                                          {"olmoe", "olmo"}}) {
    GgufMetadata keys = metadata("pre");
    keys.add("general.architecture", architecture);
    const Result<Vocabulary> vocabulary = read_vocabulary(keys);
    ASSERT_TRUE(vocabulary) << vocabulary.error().message;
    EXPECT_EQ(vocabulary->pre, pre);
    ASSERT_EQ(vocabulary->notes.size(), 1U);
    EXPECT_NE(vocabulary->notes.front().find("tokenizer.ggml.pre is missing"), std::string::npos);
  }
}

TEST(Vocabulary, TakesATokenThatDoesNotExistForNone) {
  for (const int64_t id : {int64_t{-1}, int64_t{UINT32_MAX}, int64_t{1} << 40}) {
    GgufMetadata keys = metadata();
    keys.add("tokenizer.ggml.eom_token_id", id);
    const Result<Vocabulary> vocabulary = read_vocabulary(keys);
    ASSERT_TRUE(vocabulary) << vocabulary.error().message;
    EXPECT_EQ(vocabulary->eom, std::nullopt);
    ASSERT_EQ(vocabulary->notes.size(), 1U) << id;
    EXPECT_NE(vocabulary->notes.front().find("eom_token_id"), std::string::npos);
  }
}

TEST(Vocabulary, TakesEveryTokenForTextWhereNoTypesAreGiven) {
  const GgufMetadata keys = metadata("token_type");
  const Result<Vocabulary> vocabulary = read_vocabulary(keys);
  ASSERT_TRUE(vocabulary) << vocabulary.error().message;
  EXPECT_EQ(vocabulary->types, std::vector<int32_t>(vocabulary->tokens.size(), 1));
  EXPECT_EQ(vocabulary->notes.size(), 1U);
}

TEST(Vocabulary, NamesTheKeyThatIsOfAnotherKind) {
  GgufMetadata keys = metadata();
  keys.add("tokenizer.ggml.bos_token_id", std::string("a"));
  const Result<Vocabulary> vocabulary = read_vocabulary(keys);
  ASSERT_FALSE(vocabulary);
  EXPECT_NE(vocabulary.error().message.find("bos_token_id"), std::string::npos) << vocabulary.error().message;
}

TEST(Vocabulary, RefusesAnotherKindOfTokenizer) {
  GgufMetadata keys = metadata("model");
  keys.add("tokenizer.ggml.model", std::string("llama"));
  const Result<Vocabulary> vocabulary = read_vocabulary(keys);
  ASSERT_FALSE(vocabulary);
  EXPECT_NE(vocabulary.error().message.find("'llama'"), std::string::npos) << vocabulary.error().message;
}

}  // namespace
}  // namespace spillway
