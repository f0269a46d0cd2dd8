#include "app/cli/json_keys.h"

#include <gtest/gtest.h>

#include <fstream>

#include "app/cli/json_file.h"
#include "core/json.h"
#include "tests/support/program.h"

namespace spillway {
namespace {

TEST(JsonKeys, ReadWhatIsThereAndTellTheFirstProblemWithItsPath) {
  const Json json = Json::parse(R"({"name": "a", "inner": {"count": 3, "list": [{"x": 1}, {"x": "y"}]}})");
  JsonKeys keys(json);
  EXPECT_EQ(keys.text("name"), "a");
  JsonKeys inner = keys.child("inner");
  EXPECT_EQ(inner.count("count"), 3U);
  std::vector<double> read;
  EXPECT_FALSE(keys.problem());
  inner.each("list", [&](JsonKeys& object) { read.push_back(object.real("x")); });
  EXPECT_EQ(read, (std::vector<double>{1, 0}));
  keys.text("missing");
  ASSERT_TRUE(keys.problem());
  EXPECT_EQ(keys.problem()->message, "'inner/list/1/x' must be a number that is not negative");
}

TEST(JsonKeys, CountNullAsAbsent) {
  const Json json = Json::parse(R"({"a": null, "b": "text"})");
  JsonKeys keys(json);
  EXPECT_FALSE(keys.has("a"));
  EXPECT_EQ(keys.count("a", 7), 7U);
  EXPECT_TRUE(keys.text_or_texts("a").empty());
  EXPECT_EQ(keys.text_or_texts("b"), (std::vector<std::string>{"text"}));
  EXPECT_FALSE(keys.problem());
  keys.text("a");
  EXPECT_EQ(keys.problem()->message, "'a' must be a text");
}

TEST(JsonKeys, TakeNoValueOfAnotherType) {
  const Json json = Json::parse(
      R"({"negative": -1, "large": 4294967296, "texts": ["a", 1], "object": {"a": "b", "c": 2}, "list": 3})");
  const auto problem = [&](auto read) {
    JsonKeys keys(json);
    read(keys);
    return keys.problem() ? keys.problem()->message : "";
  };
  EXPECT_EQ(problem([](JsonKeys& keys) { keys.real("negative"); }),
            "'negative' must be a number that is not negative");
  EXPECT_EQ(problem([](JsonKeys& keys) { EXPECT_EQ(keys.signed_real("negative"), -1); }), "");
  EXPECT_EQ(problem([](JsonKeys& keys) { keys.count("large"); }), "'large' must be a whole number");
  EXPECT_EQ(problem([](JsonKeys& keys) { keys.large_count("large"); }), "");
  EXPECT_EQ(problem([](JsonKeys& keys) { keys.texts("texts"); }), "'texts' must be a list of texts");
  EXPECT_EQ(problem([](JsonKeys& keys) { keys.texts_by_name("object"); }),
            "'object' must be an object of texts");
  EXPECT_EQ(problem([](JsonKeys& keys) { keys.each("list", [](JsonKeys&) {}); }), "'list' must be a list");
  EXPECT_EQ(problem([](JsonKeys& keys) { keys.child("list").text("x"); }), "'list' must be an object");
  EXPECT_EQ(problem([](JsonKeys& keys) { keys.flag("list", true); }), "'list' must be true or false");
}

TEST(JsonKeys, LookIntoNothingButAnObject) {
  const Json list = Json::parse("[1, 2]");
  JsonKeys keys(list);
  EXPECT_FALSE(keys.has("0"));
  EXPECT_EQ(keys.text("schema", ""), "");
}

TEST(JsonFile, ErrorsBeginWithThePath) {
  const test::TemporaryDirectory folder;
  const std::string path = folder / "a.json";
  std::ofstream(path) << R"({"a": 1,)";
  Result<Json> json = read_json(path, kMostDocumentBytes);
  ASSERT_FALSE(json);
  EXPECT_EQ(json.error().message, path + ": is not JSON: something is wrong at byte 9");
  json = read_json(path, 3);
  ASSERT_FALSE(json);
  EXPECT_EQ(json.error().message, path + ": is 8 B long; JSON may be at most 3 B here");
}

}  // namespace
}  // namespace spillway
