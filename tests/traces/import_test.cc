#include "traces/import/import.h"

#include "tests/support/family_files.h"
#include "tests/support/recorded.h"
#include "tests/traces/import_testing.h"
#include "traces/export/export.h"
#include "traces/oracle_general.h"

namespace spillway::testing {
namespace {

constexpr std::string_view kBigMoe =
    "# route_trace v1\n"
    "# model=/data/Toy-Q4.gguf arch=toy n_layer=2 n_expert=8 n_expert_used=2\n"
    "# layer=0 expert_bytes=4096 dense_bytes=1\n"
    "# layer=1 expert_bytes=8192 dense_bytes=1\n"
    "turn,phase,step,layer,slot,expert,weight,residency,expert_bytes\n"
    "0,0,0,0,0,3,0.75,0,4096\n"  // prefill: two tokens in layer 0, the last one alone in layer 1
    "0,0,0,0,1,1,0.25,0,4096\n"
    "0,0,1,0,0,1,0.5,0,0\n"
    "0,0,1,0,1,7,0.5,0,4096\n"
    "0,0,1,1,0,2,0.6,0,8192\n"
    "0,0,1,1,1,4,0.4,0,8192\n"
    "0,1,2,0,0,3,0.9,1,0\n"
    "0,1,2,0,1,0,0.1,1,0\n"
    "0,1,2,1,0,4,0.8,1,0\n"
    "0,1,2,1,1,5,0.2,1,0\n";

Buffer oracle_bytes(const std::vector<OracleRecord>& records) {
  Buffer bytes;
  for (const OracleRecord& record : records) {
    const auto one = encode_oracle_record(record);
    bytes.insert(bytes.end(), one.begin(), one.end());
  }
  return bytes;
}

class Import : public ::testing::Test {
 protected:
  std::string put(std::string_view text) {
    write_text(scratch_ / "in", text);
    return scratch_ / "in";
  }

  // Returns `text` with the first `from` replaced by `to`.
  static std::string changed(std::string_view text, std::string_view from, std::string_view to) {
    std::string result(text);
    const size_t at = result.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return result.replace(at, from.size(), to);
  }

  TemporaryDirectory scratch_;
};

TEST_F(Import, ReadsABigMoeTraceWithPrefillAsOneStepPerLayer) {
  const Imported got = import_all(put(kBigMoe));
  ASSERT_EQ(got.error, "");
  EXPECT_EQ(got.header.model, "Toy-Q4.gguf");
  EXPECT_EQ(got.header.geometry, (ModelGeometry{2, 8, 2, 2, {4096, 8192}}));
  EXPECT_TRUE(got.header.columns.weights);
  ASSERT_EQ(got.steps.size(), 4U);
  EXPECT_EQ(got.steps[0].phase, Phase::prefill);
  EXPECT_EQ(got.steps[0].tokens, 2U);
  EXPECT_EQ(got.steps[0].choices, (std::vector<uint16_t>{3, 1, 1, 7}));
  EXPECT_EQ(got.steps[0].weights, (std::vector<float>{0.75F, 0.25F, 0.5F, 0.5F}));
  EXPECT_EQ(got.steps[1].tokens, 1U);
  EXPECT_EQ(got.steps[1].layer, 1U);
  EXPECT_EQ(got.steps[1].pass, 0U);
  EXPECT_EQ(got.steps[2].phase, Phase::decode);
  EXPECT_EQ(got.steps[2].pass, 1U);
  EXPECT_EQ(got.steps[3].choices, (std::vector<uint16_t>{4, 5}));
}

TEST_F(Import, TakesNativeTopKAndExpertBytesFromTheOptions) {
  ImportOptions options;
  options.native_top_k = 4;
  options.expert_bytes = {1000};
  const Imported got = import_all(put(kBigMoe), options);
  ASSERT_EQ(got.error, "");
  EXPECT_EQ(got.header.geometry, (ModelGeometry{2, 8, 4, 2, {1000, 1000}}));
}

TEST_F(Import, GivesLayersWithoutExpertsNoneForOneSize) {
  ImportOptions options;
  options.expert_bytes = {1000};
  const std::string dense = changed(changed(kBigMoe, "n_layer=2", "n_layer=3"), "# layer=1",
                                    "# layer=2 expert_bytes=0 dense_bytes=1\n# layer=1");
  const std::vector<uint64_t> expected = {1000, 1000, 0};
  EXPECT_EQ(import_all(put(dense), options).header.geometry.expert_bytes, expected);
  // A layer that the file does not mention may have experts.
  const std::string silent = changed(kBigMoe, "# layer=1 expert_bytes=8192 dense_bytes=1\n", "");
  EXPECT_EQ(import_all(put(silent), options).header.geometry.expert_bytes,
            (std::vector<uint64_t>{1000, 1000}));

  const TraceHeader header{{3, 8, 2, 2, {4096, 4096, 0}}, "", {}, {}, {}};
  put(fmt::format("{}{}\n{}\n0,decode,0,0,1,0,3,,,,,\n0,decode,0,0,1,0,1,,,,,\n", kCsvFirstWord,
                  header_to_json(header), kCsvColumns));
  EXPECT_EQ(import_all(scratch_ / "in", options).header.geometry.expert_bytes, expected);

  write_bytes(scratch_ / "in",
              oracle_bytes({{0, 0, 512, -1}, {0, 1, 512, -1}, {1, 8, 512, -1}, {1, 9, 512, -1}}));
  options.layers = 3;
  options.experts_per_layer = 8;
  options.used_top_k = 2;
  EXPECT_EQ(import_all(scratch_ / "in", options).header.geometry.expert_bytes, expected);
  options.expert_bytes = {1, 2, 3};
  EXPECT_EQ(import_all(scratch_ / "in", options).header.geometry.expert_bytes,
            (std::vector<uint64_t>{1, 2, 3}))
      << "a size for each layer says which have experts";
}

TEST_F(Import, SaysInWhichLineABigMoeTraceIsWrong) {
  const std::vector<std::array<std::string, 3>> cases = {
      {"0,1,2,0,0,3,0.9,1,0", "0,1,2,0,0,8,0.9,1,0", ":12: "},    // no such expert
      {"0,1,2,0,0,3,0.9,1,0", "0,1,2,2,0,3,0.9,1,0", ":12: "},    // no such layer
      {"0,1,2,0,0,3,0.9,1,0", "0,1,2,0,0,3,0.9,1", ":12: "},      // a column is missing
      {"0,1,2,0,0,3,0.9,1,0", "0,1,2,0,0,3,0.9,1,0,0", ":12: "},  // one too many
      {"0,1,2,0,0,3,0.9,1,0", "0,2,2,0,0,3,0.9,1,0", ":12: phase"},
      {"0,1,2,0,0,3,0.9,1,0", "0,1,2,0,0,x,0.9,1,0", ":12: "},
      {"0,1,2,0,0,3,0.9,1,0", "0,1,2,0,0,-3,0.9,1,0", ":12: "},
      {"0,1,2,0,0,3,0.9,1,0\n", "", ":12: a token must start at slot 0, but starts at slot 1"},
      {"0,1,2,0,1,0,0.1,1,0\n", "", ":13: the previous token ended after 1 of 2 slots"},
      {"0,1,2,0,1,0,", "0,1,2,0,1,3,", ":13: expert 3 is chosen twice"},
      {"0,1,2,1,1,5,0.2,1,0\n", "", "cut off"},
      {"0,1,2,1,1,5,0.2,1,0\n", "0,1,2,1,1,5,0.2,1,0\n0,1,1,0,0,1,1,1,0\n", ":16: out of order"},
      {"route_trace v1", "route_trace v2", ":1: "},
      {"turn,phase", "turn,face", ":5: "},
      {" n_expert=8", "", ":2: "},
      {"# layer=1 expert_bytes=8192", "# layer=7 expert_bytes=8192", ":4: "},
      {"# layer=1 expert_bytes=8192 dense_bytes=1\n", "", "give --expert-bytes"},
      {"n_layer=2", "n_layer=4294967295", ":2: "},
  };
  for (const auto& [from, to, complaint] : cases) {
    const std::string error = import_all(put(changed(kBigMoe, from, to))).error;
    EXPECT_NE(error.find(complaint), std::string::npos) << "'" << to << "' gave: " << error;
    EXPECT_EQ(error.find(scratch_ / "in"), 0U) << error;
  }
}

TEST_F(Import, ReadsBigMoeWithWindowsLineEndsAndNoLastLineEnd) {
  std::string text;
  for (const char c : kBigMoe) {
    text += c == '\n' ? std::string("\r\n") : std::string(1, c);
  }
  text.resize(text.size() - 2);
  const Imported got = import_all(put(text));
  EXPECT_EQ(got.error, "");
  EXPECT_EQ(got.steps.size(), 4U);
}

constexpr std::string_view kWarp =
    "{\"tok\": 1, \"layers\": [[0, 3], [1, 2]]}\n"
    "{\"tok\": 2, \"layers\": [[0, 1], [2, 3]]}\n";

TEST_F(Import, ReadsAWarpTrace) {
  ImportOptions options;
  options.experts_per_layer = 4;
  options.expert_bytes = {512};
  const Imported got = import_all(put(kWarp), options);
  ASSERT_EQ(got.error, "");
  EXPECT_EQ(got.header.geometry, (ModelGeometry{2, 4, 2, 2, {512, 512}}));
  ASSERT_EQ(got.steps.size(), 4U);
  EXPECT_EQ(got.steps[3].choices, (std::vector<uint16_t>{2, 3}));
  EXPECT_EQ(got.steps[3].pass, 1U);
  EXPECT_EQ(got.steps[3].layer, 1U);
}

TEST_F(Import, AsksForWhatAWarpTraceLacks) {
  ImportOptions options;
  EXPECT_NE(import_all(put(kWarp), options).error.find("--experts"), std::string::npos);
  options.experts_per_layer = 4;
  EXPECT_NE(import_all(put(kWarp), options).error.find("--expert-bytes"), std::string::npos);
}

TEST_F(Import, SaysInWhichLineAWarpTraceIsWrong) {
  ImportOptions options;
  options.experts_per_layer = 4;
  options.expert_bytes = {512};
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{{"[2, 3]", "[2, 4]"},
                                                                                 {"[2, 3]", "[2, 2]"},
                                                                                 {"[2, 3]", "[2]"},
                                                                                 {"[2, 3]", "7"},
                                                                                 {"[2, 3]", "[2, -1]"},
                                                                                 {", [2, 3]", ""},
                                                                                 {"\"tok\": 2", "\"tok\": 1"},
                                                                                 {"\"tok\": 2, ", ""},
                                                                                 {"[2, 3]]}", "[2, 3]"}}) {
    const std::string error = import_all(put(changed(kWarp, from, to)), options).error;
    EXPECT_EQ(error.find(scratch_ / "in" + ":2: "), 0U) << "'" << to << "' gave: " << error;
  }
}

TEST_F(Import, ReadsOracleGeneralAndGroupsItIntoSteps) {
  // Two layers of 4 experts, top-2: a batch that chose three of layer 0, then a token.
  write_bytes(scratch_ / "in", oracle_bytes({{0, 0, 512, 6},
                                             {0, 1, 512, 7},
                                             {0, 2, 512, -1},
                                             {1, 4, 1024, 8},
                                             {1, 7, 1024, 9},
                                             {2, 0, 512, -1},
                                             {2, 1, 512, -1},
                                             {3, 4, 1024, -1},
                                             {3, 7, 1024, -1}}));
  ImportOptions options;
  const std::string error = import_all(scratch_ / "in", options).error;
  EXPECT_NE(error.find("--layers N --experts N --top-k N"), std::string::npos) << error;
  options.layers = 2;
  options.experts_per_layer = 4;
  options.used_top_k = 2;
  const Imported got = import_all(scratch_ / "in", options);
  ASSERT_EQ(got.error, "");
  EXPECT_EQ(got.header.geometry, (ModelGeometry{2, 4, 2, 2, {512, 1024}}));
  ASSERT_EQ(got.steps.size(), 4U);
  EXPECT_EQ(got.steps[0].phase, Phase::prefill);
  EXPECT_EQ(got.steps[1].phase, Phase::prefill) << "the batch's other layer belongs to the batch too";
  EXPECT_TRUE(got.steps[0].choices.empty());
  EXPECT_EQ(got.steps[0].experts, (std::vector<ExpertId>{ExpertId{0}, ExpertId{1}, ExpertId{2}}));
  EXPECT_EQ(got.steps[3].phase, Phase::decode);
  EXPECT_EQ(got.steps[3].pass, 1U);
  EXPECT_EQ(got.steps[3].choices, (std::vector<uint16_t>{0, 3}));
}

TEST_F(Import, SaysAtWhichRecordOracleGeneralIsWrong) {
  ImportOptions options;
  options.layers = 2;
  options.experts_per_layer = 4;
  options.used_top_k = 2;
  const auto error_of = [&](const Buffer& bytes) {
    write_bytes(scratch_ / "in", bytes);
    return import_all(scratch_ / "in", options, "oraclegeneral").error;
  };
  EXPECT_NE(error_of(oracle_bytes({{0, 8, 512, -1}})).find("record 1 at offset 0: object 8"),
            std::string::npos);
  EXPECT_NE(error_of(oracle_bytes({{0, 0, 512, -1}, {0, 1, 513, -1}})).find("record 2 at offset 24"),
            std::string::npos);
  EXPECT_NE(error_of(oracle_bytes({{0, 0, 1, -1}, {0, 1, 1, -1}, {0, 4, 1, -1}, {0, 5, 1, -1}}))
                .find("--expert-bytes"),
            std::string::npos);
  options.expert_bytes = {512};
  EXPECT_NE(error_of(oracle_bytes({{0, 0, 1, -1}, {0, 4, 1, -1}})).find("has 1 experts"), std::string::npos);
  Buffer cut = oracle_bytes({{0, 0, 1, -1}, {0, 1, 1, -1}});
  cut.pop_back();
  EXPECT_NE(error_of(cut).find("cut off after 23 of 24 bytes"), std::string::npos);
  EXPECT_NE(error_of({}).find("no records"), std::string::npos);
  options.layers = UINT32_MAX;
  EXPECT_NE(error_of(oracle_bytes({{0, 0, 1, -1}})).find("experts"), std::string::npos);
}

TEST(Importers, AreEachAFileAndAnEntry) {
  std::vector<std::string> listed;
  for (const Importer& importer : importers()) {
    // What users call it came before the name of the file.
    listed.push_back(importer.name == "oraclegeneral" ? "oracle-general" : importer.name);
    EXPECT_FALSE(importer.summary.empty()) << importer.name;
  }
  test::expect_a_file_for_each(listed, "traces/import", {"columns", "header", "list", "rows"});
}

TEST_F(Import, RecognisesNothingInNoise) {
  EXPECT_NE(import_all(put("hello, world")).error.find("--from"), std::string::npos);
  EXPECT_NE(import_all(put(std::string(2400, 'x'))).error.find("--from"), std::string::npos);
  EXPECT_NE(import_all(put(""), {}, "parquet").error.find("there are: csv, bigmoe"), std::string::npos);
}

TEST_F(Import, ReadsTheSharedQwenTrace) {
  SPILLWAY_NEEDS_RECORDED("bigmoe-qwen.route.csv");
  const Imported got = import_all(test::recorded("bigmoe-qwen.route.csv"));
  ASSERT_EQ(got.error, "");
  EXPECT_EQ(got.header.geometry.layers, 48U);
  EXPECT_EQ(got.header.geometry.experts_per_layer, 128U);
  EXPECT_EQ(got.header.geometry.used_top_k, 6U);
  EXPECT_EQ(got.header.geometry.expert_bytes[0], 3'059'712U);
  EXPECT_EQ(got.header.geometry.expert_bytes[6], 2'654'208U);
  ASSERT_EQ(got.steps.size(), 48U * 129);
  EXPECT_EQ(got.steps[0].tokens, 28U);
  EXPECT_EQ(got.steps[47].tokens, 1U) << "llama.cpp prunes the last layer of a prefill";
  EXPECT_EQ(got.steps[48].phase, Phase::decode);
}

}  // namespace
}  // namespace spillway::testing
