#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "core/json.h"
#include "tests/support/program.h"

namespace spillway::test {
namespace {

Ran plan(const std::vector<std::string>& options) {
  std::vector<std::string> arguments = {SPILLWAY_BINARY, "plan"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  return Program(arguments).wait();
}

TEST(PlanCommand, TellsSomebodyWhatToBuy) {
  const Ran ran = plan({"--model", "qwen3.5-122b-a10b", "--bits", "2", "--ram", "36GB", "--device",
                        "apple-m4-max", "--target", "10", "--explain"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  for (const char* said : {"fits", "tok/s, likely", "with one thing changed", "more memory than",
                           "on other machines", "desktop-ddr5", "time of a token", "÷"}) {
    EXPECT_NE(ran.out.find(said), std::string::npos) << said;
  }
}

TEST(PlanCommand, WritesJsonThatItsSchemaDescribes) {
  if (std::system("python3 -c 'import jsonschema' 2>/dev/null") != 0) {
    GTEST_SKIP() << "python3-jsonschema is not installed";
  }
  const TemporaryDirectory scratch;
  const std::string root = SPILLWAY_SOURCE_DIR;
  const auto check = [&](const std::string& document) {
    return Program({"/usr/bin/env", "python3", root + "/tests/cli/check_schema.py",
                    root + "/share/schema/plan-1.json", document})
        .wait();
  };
  const std::string path = scratch / "plan.json";
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{"--target", "20"}, {"--ram", "1GB"}, {"--ram", "512GB", "--context", "0"}}) {
    std::vector<std::string> options = {"--model", "gpt-oss-120b", "--json", path};
    options.insert(options.end(), more.begin(), more.end());
    ASSERT_EQ(plan(options).status, 0);
    const Ran checked = check(path);
    EXPECT_EQ(checked.status, 0) << more.front() << ": " << checked.err;
  }
  std::ofstream(path) << R"({"schema": "spillway.plan/2"})";
  EXPECT_NE(check(path).status, 0) << "a wrong document passes";
}

TEST(PlanCommand, HoldsItselfAgainstPublishedFigures) {
  const Ran ran = plan({"--claims", "--json", "-"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json json = Json::parse(ran.out);
  EXPECT_EQ(json["schema"], "spillway.plan_claims/1");
  EXPECT_GE(json["covered"].size(), 19U);
  EXPECT_GE(3 * json["within_20_percent"].get<size_t>(), 2 * json["covered"].size());
}

TEST(PlanCommand, AnswersForAFileAndItsTrace) {
  const std::string models = std::string(SPILLWAY_SOURCE_DIR) + "/bundled/";
  const Ran ran = plan({"--gguf", models + "tiny-moe-q4_0.gguf", "--trace", models + "tiny-moe.trace.bin",
                        "--compute", "recorded", "--device", "1GB/s", "--json", "-"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_GT(Json::parse(ran.out)["plan"]["speed"]["tok_per_s"], 0);
}

TEST(PlanCommand, RefusesWhatMakesNoSense) {
  for (const std::vector<std::string>& options : {std::vector<std::string>{},
                                                  {"--model", "x"},
                                                  {"--model", "mixtral-8x7b", "--gguf", "x"},
                                                  {"--model", "mixtral-8x7b", "--bits", "1"},
                                                  {"--model", "mixtral-8x7b", "--device", "toaster"},
                                                  {"--model", "mixtral-8x7b", "--drives", "0"},
                                                  {"--model", "mixtral-8x7b", "--target", "-1"},
                                                  {"--model", "mixtral-8x7b", "--compute", "recorded"},
                                                  {"--model", "mixtral-8x7b", "--ram", "0GB"},
                                                  {"--model", "mixtral-8x7b", "--experts-per-token", "9"},
                                                  {"--model", "mixtral-8x7b", "--ram-price", "nan"}}) {
    const Ran ran = plan(options);
    EXPECT_EQ(ran.status, 2) << (options.empty() ? "" : options.back()) << ": " << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  }
}

// Returns the bytes that a number like `28.7 GB` stands for.
double bytes_in(const std::string& line) {
  std::istringstream words(line.substr(28));
  double value = 0;
  std::string unit;
  words >> value >> unit;
  return value * (unit == "GB" ? 1e9 : unit == "MB" ? 1e6 : 1);
}

TEST(PlanCommand, HasAMemoryListThatAddsUpAndSaysWhyItIsNotTheSizeAsSold) {
  for (const char* ram : {"36GB", "128GB", "1GB"}) {
    SCOPED_TRACE(ram);
    const Ran ran = plan({"--model", "qwen3.5-122b-a10b", "--bits", "2", "--ram", ram});
    ASSERT_EQ(ran.status, 0) << ran.err;
    std::istringstream lines(ran.out.substr(ran.out.find("\nmemory of ") + 1));
    std::string line;
    std::getline(lines, line);
    EXPECT_NE(line.find(" GB as sold (1 GB is 2^30 bytes)"), std::string::npos) << line;
    EXPECT_NE(line.find(" GB in this table (1 GB is 10^9 bytes)"), std::string::npos) << line;
    double sum = 0;
    while (std::getline(lines, line) && !line.starts_with("  together")) {
      sum += bytes_in(line);
    }
    EXPECT_NEAR(sum, bytes_in(line), 0.01 * sum) << ran.out;
  }
  EXPECT_NE(plan({"--model", "mixtral-8x7b", "--ram", "36GB"})
                .out.find("memory of 36 GB as sold (1 GB is 2^30 bytes) = 38.7 GB"),
            std::string::npos);
}

TEST(PlanCommand, HasNoBlanksAtTheEndsOfItsLines) {
  for (const std::vector<std::string>& options :
       {std::vector<std::string>{"--model", "qwen3.5-122b-a10b", "--target", "10", "--explain"},
        {"--model", "qwen3.5-122b-a10b", "--ram", "1GB"},
        {"--model", "mixtral-8x7b", "--ram", "128GB", "--explain"},
        {"--claims"}}) {
    const Ran ran = plan(options);
    ASSERT_EQ(ran.status, 0) << ran.err;
    EXPECT_EQ(ran.out.find(" \n"), std::string::npos) << ran.out;
  }
}

TEST(PlanCommand, RefusesWhatItWouldIgnore) {
  const std::string trace = std::string(SPILLWAY_SOURCE_DIR) + "/bundled/tiny-moe.trace.bin";
  expect_one_line(plan({"--model", "mixtral-8x7b", "--policy", "lru"}), 2, {"--policy lru", "--trace"});
  expect_one_line(plan({"--model", "mixtral-8x7b", "--trace", trace, "--locality", "olmoe-1b-7b"}), 2,
                  {"--trace", "--locality"});
}

TEST(PlanCommand, ListsWhatItKnows) {
  const Ran ran = Program({SPILLWAY_BINARY, "list", "machines"}).wait();
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("apple-m4-max"), std::string::npos);
}

}  // namespace
}  // namespace spillway::test
