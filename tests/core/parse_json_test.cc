#include "core/parse_json.h"

#include <gtest/gtest.h>

#include "core/json.h"

namespace spillway {
namespace {

constexpr JsonLimits kLimits = {.most_bytes = 64 << 20};

std::string problem_of(std::string_view text, JsonLimits limits = kLimits) {
  const Result<Json> json = parse_json(text, limits);
  return json ? "" : json.error().message;
}

std::string nested(size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

TEST(ParseJson, GivesWhatNlohmannsOwnParserGives) {
  for (const char* text :
       {"null", "true", "-7", "18446744073709551615", "0.125", "\"\\u00e9\"", "[]", "{}",
        R"({"b": [1, -2, 3.5, null, {"c": {}}], "a": {"d": [[], [false]], "": "x"}, "e": "last"})"}) {
    const Result<Json> json = parse_json(text, kLimits);
    ASSERT_TRUE(json) << text << ": " << json.error().message;
    EXPECT_EQ(json->dump(), Json::parse(text).dump());
    EXPECT_EQ(json->type(), Json::parse(text).type());
  }
}

TEST(ParseJson, NamesTheByteWhereATextIsNoJson) {
  EXPECT_EQ(problem_of(R"({"a": 1,})"), "is not JSON: something is wrong at byte 9");
  for (const char* text : {"", "{", "[1, 2", "nul", "1e999", "\"\xFF\"", "{} {}", "{\"a\" 1}"}) {
    EXPECT_NE(problem_of(text).find("is not JSON"), std::string::npos) << text;
  }
}

TEST(ParseJson, RefusesWhatIsTooDeepOrTooLarge) {
  EXPECT_EQ(problem_of(nested(64)), "");
  EXPECT_EQ(problem_of(nested(65)), "has lists and objects nested more than 64 deep");
  EXPECT_EQ(problem_of(std::string(1'000'000, '[')), "has lists and objects nested more than 64 deep");
  EXPECT_EQ(problem_of("[1]", {.most_bytes = 2}), "is 3 B long; JSON may be at most 2 B here");
}

TEST(ParseJson, RefusesAKeyThatStandsTwice) {
  EXPECT_EQ(problem_of(R"({"a": 1, "b": {"a": 2}, "a": 3})"), "has the key 'a' twice in one object");
}

// Looking each key up among those before it would take minutes.
TEST(ParseJson, TakesManyKeysInTimeThatGrowsWithThem) {
  std::string text = "{";
  for (int i = 0; i < 300'000; ++i) {
    text += fmt::format("{}\"key {}\":{}", i == 0 ? "" : ",", i, i);
  }
  const Result<Json> json = parse_json(text + "}", kLimits);
  ASSERT_TRUE(json);
  EXPECT_EQ(json->size(), 300'000U);
}

}  // namespace
}  // namespace spillway
