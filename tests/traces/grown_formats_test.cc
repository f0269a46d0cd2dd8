#include "tests/traces/import_testing.h"

// Recordings of formats that have grown since their importer was written, and what people write themselves.
namespace spillway::testing {
namespace {

constexpr std::string_view kHead =
    "# route_trace v1\n"
    "# model=/data/My Model Q4.gguf arch=toy n_layer=2 n_expert=8 n_expert_used=2\n"
    "# layer=0 expert_bytes=4096 dense_bytes=1\n"
    "# layer=1 expert_bytes=8192 dense_bytes=1\n";

class GrownFormat : public ::testing::Test {
 protected:
  Imported import(std::string_view text, const ImportOptions& options = {}) {
    write_text(scratch_ / "in", text);
    return import_all(scratch_ / "in", options);
  }
  Imported import_rows(std::string_view rows) { return import(std::string(kHead) + std::string(rows)); }

  static std::vector<std::vector<uint16_t>> choices_of(const Imported& imported) {
    std::vector<std::vector<uint16_t>> choices;
    for (const Step& step : imported.steps) {
      choices.push_back(step.choices);
    }
    return choices;
  }

  static std::string provenance(const Imported& imported, const std::string& key) {
    for (const auto& [name, value] : imported.header.provenance) {
      if (name == key) {
        return value;
      }
    }
    return "none";
  }

  TemporaryDirectory scratch_;
};

const std::vector<std::vector<uint16_t>> kTwoSteps = {{3, 1}, {2, 4}};

TEST_F(GrownFormat, ARowThatEndsEarlyIsRefusedWithItsLine) {
  const std::string table = "token,layer,expert\n0,0,1\n0,0\n";
  const std::string csv = "# spillway.trace.csv/1 " +
                          header_to_json({{2, 8, 2, 2, {4096, 4096}}, "m", {}, {}, {}}) +
                          "\npass,phase,sequence,layer,tokens,token,expert\n0\n";
  for (const auto& [text, line] : {std::pair(table, ":3: "), std::pair(csv, ":3: ")}) {
    EXPECT_NE(import(text, eight_experts()).error.find(line), std::string::npos)
        << import(text, eight_experts()).error;
  }
  EXPECT_NE(import_rows("turn,phase,step,layer,slot,expert,weight\n0,0\n").error.find(":6: "),
            std::string::npos);
}

TEST_F(GrownFormat, KeepsTheChoicesThatBigMoeOnEdgeDroppedAndCountsThem) {
  const Imported got = import_rows(
      "turn,phase,step,layer,slot,expert,weight,residency,expert_bytes,dropped\n"
      "0,1,0,0,0,3,0.75,0,4096,0\n0,1,0,0,1,1,0.25,0,0,1\n"
      "0,1,0,1,0,2,0.6,0,8192,0\n0,1,0,1,1,4,0.4,0,0,1\n");
  ASSERT_EQ(got.error, "");
  EXPECT_EQ(choices_of(got), kTwoSteps);
  EXPECT_EQ(provenance(got, "dropped_choices"), "2");
}

TEST_F(GrownFormat, FindsColumnsByNameInAnyOrderAmongUnknownOnes) {
  const Imported got = import_rows(
      "expert,slot,layer,step,later,phase,turn\n"
      "3,0,0,0,x,1,0\n1,1,0,0,,1,0\n2,0,1,0,\"a, b\",1,0\n4,1,1,0,,1,0\n");
  ASSERT_EQ(got.error, "");
  EXPECT_EQ(choices_of(got), kTwoSteps);
  EXPECT_FALSE(got.header.columns.weights) << "there is no such column";
}

TEST_F(GrownFormat, HasNoWeightsWhereTheEngineDoesNotTellThem) {
  for (const char* untold : {"nan", "-nan", "inf", ""}) {
    const Imported got =
        import_rows(fmt::format("phase,step,layer,expert,weight\n1,0,0,3,0.5\n1,0,0,1,{}\n", untold));
    ASSERT_EQ(got.error, "") << untold;
    EXPECT_FALSE(got.header.columns.weights);
    ASSERT_EQ(got.steps.size(), 1U);
    EXPECT_EQ(got.steps[0].choices, (std::vector<uint16_t>{3, 1}));
    EXPECT_TRUE(got.steps[0].weights.empty());
  }
  const Imported told = import_rows("phase,step,layer,expert,weight\n1,0,0,3,0.5\n1,0,0,1,0.25\n");
  ASSERT_EQ(told.steps.size(), 1U) << told.error;
  EXPECT_EQ(told.steps[0].weights, (std::vector<float>{0.5F, 0.25F}));
  EXPECT_NE(import_rows("phase,step,layer,expert,weight\n1,0,0,3,much\n").error, "");
}

TEST_F(GrownFormat, TakesQuotesInsideQuotesAndRefusesAColumnThatIsThereTwice) {
  const Imported got =
      import_rows("note,phase,step,layer,expert\n\"he said \"\"a, b\"\", c\",1,0,0,3\n\"\",1,0,0,1\n");
  ASSERT_EQ(got.error, "");
  EXPECT_EQ(choices_of(got), (std::vector<std::vector<uint16_t>>{{3, 1}}));
  const Imported twice = import_rows("phase,step,layer,expert,expert\n1,0,0,3,4\n");
  EXPECT_NE(twice.error.find("column 'expert' twice"), std::string::npos) << twice.error;
}

TEST_F(GrownFormat, NeedsOnlyTheColumnsWithoutWhichThereIsNoTrace) {
  const Imported got = import_rows("step,layer,expert,phase\n0,0,3,1\n0,0,1,1\n0,1,2,1\n0,1,4,1\n");
  ASSERT_EQ(got.error, "");
  EXPECT_EQ(choices_of(got), kTwoSteps);
  const Imported without = import_rows("turn,phase,step,layer,slot,weight\n");
  EXPECT_NE(without.error.find("no column 'expert'"), std::string::npos) << without.error;
}

TEST_F(GrownFormat, RefusesARowWithTooFewOrTooManyCells) {
  for (const char* row : {"1,0,0\n", "1,0,0,3,9\n", "1,0,0,\n", "1,0,0,3x\n"}) {
    const Imported got = import_rows(std::string("phase,step,layer,expert\n") + row);
    EXPECT_NE(got.error.find(":6:"), std::string::npos) << row << got.error;
  }
}

TEST_F(GrownFormat, TakesAPathWithBlanksWhole) {
  const Imported got = import_rows("phase,step,layer,expert\n1,0,0,3\n1,0,0,1\n");
  EXPECT_EQ(got.header.model, "My Model Q4.gguf");
  EXPECT_EQ(provenance(got, "recorded_model"), "/data/My Model Q4.gguf");
  const Imported last = import(
      "# route_trace v1\n# n_layer=1 n_expert=8 n_expert_used=1 model=/data/a layer of b.gguf\n"
      "# layer=0 expert_bytes=1\nphase,step,layer,expert\n1,0,0,3\n");
  ASSERT_EQ(last.error, "");
  EXPECT_EQ(last.header.model, "a layer of b.gguf");
}

// Two tokens a pass; the second of the first pass was rejected, and its position comes again.
TEST_F(GrownFormat, ReadsADecodePassOfSeveralDraftedTokensLayerByLayer) {
  const Imported got = import_rows(
      "turn,phase,step,layer,slot,expert\n"
      "0,1,3,0,0,1\n0,1,3,0,1,2\n0,1,4,0,0,3\n0,1,4,0,1,4\n"
      "0,1,3,1,0,5\n0,1,3,1,1,6\n0,1,4,1,0,7\n0,1,4,1,1,0\n"
      "0,1,4,0,0,2\n0,1,4,0,1,1\n0,1,5,0,0,4\n0,1,5,0,1,3\n"
      "0,1,4,1,0,6\n0,1,4,1,1,5\n0,1,5,1,0,0\n0,1,5,1,1,7\n"
      "0,1,6,0,0,2\n0,1,6,0,1,1\n0,1,6,1,0,4\n0,1,6,1,1,3\n");
  ASSERT_EQ(got.error, "");
  ASSERT_EQ(got.steps.size(), 6U);
  EXPECT_EQ(got.steps[0].choices, (std::vector<uint16_t>{1, 2, 3, 4}));
  EXPECT_EQ(got.steps[3].choices, (std::vector<uint16_t>{6, 5, 0, 7}));
  std::vector<std::pair<uint64_t, uint32_t>> passes;
  for (const Step& step : got.steps) {
    passes.emplace_back(step.pass, step.tokens);
    EXPECT_EQ(step.phase, Phase::decode);
  }
  EXPECT_EQ(passes,
            (std::vector<std::pair<uint64_t, uint32_t>>{{0, 2}, {0, 2}, {1, 2}, {1, 2}, {2, 1}, {2, 1}}));
}

TEST_F(GrownFormat, RefusesADraftThatGoesBackBeforeItsPass) {
  const Imported got = import_rows(
      "turn,phase,step,layer,slot,expert\n"
      "0,1,3,0,0,1\n0,1,3,0,1,2\n0,1,3,1,0,5\n0,1,3,1,1,6\n0,1,3,0,0,2\n0,1,3,0,1,1\n");
  EXPECT_NE(got.error.find("out of order"), std::string::npos) << got.error;
}

TEST_F(GrownFormat, TakesOneLayerOfExpertsForOneTokenAPass) {
  const Imported got = import(
      "# route_trace v1\n# model=m.gguf n_layer=2 n_expert=8 n_expert_used=1\n"
      "# layer=0 expert_bytes=0\n# layer=1 expert_bytes=64\n"
      "turn,phase,step,layer,slot,expert\n0,1,0,1,0,3\n0,1,1,1,0,4\n");
  ASSERT_EQ(got.error, "");
  ASSERT_EQ(got.steps.size(), 2U);
  EXPECT_EQ(got.steps[1].pass, 1U);
}

TEST_F(GrownFormat, ReadsOurOwnCsvWithItsColumnsInAnotherOrder) {
  TraceHeader header;
  header.geometry = small_geometry(1, 8, 2);
  header.columns.weights = true;
  const Imported got = import(fmt::format(
      "\xef\xbb\xbf# spillway.trace.csv/1 {}\r\nexpert,token,phase,tokens,layer,pass\r\n3,0,decode,1,0,0\r\n"
      "1,0,decode,1,0,0\r\n",
      header_to_json(header)));
  ASSERT_EQ(got.error, "");
  EXPECT_EQ(choices_of(got), (std::vector<std::vector<uint16_t>>{{3, 1}}));
  EXPECT_FALSE(got.header.columns.weights);
}

// ---- tables of one's own

const ImportOptions kEightExperts = eight_experts();

TEST_F(GrownFormat, ReadsATableWithARowForEachChoice) {
  const Imported got =
      import("token,layer,expert,weight\n0,0,3,0.5\n0,0,1,0.5\n0,1,2,0.9\n0,1,4,0.1\n1,0,0,1\n1,0,1,0\n",
             kEightExperts);
  ASSERT_EQ(got.error, "");
  EXPECT_EQ(choices_of(got), (std::vector<std::vector<uint16_t>>{{3, 1}, {2, 4}, {0, 1}}));
  EXPECT_EQ(got.steps[1].weights, (std::vector<float>{0.9F, 0.1F}));
  EXPECT_EQ(got.steps[2].pass, 1U);
  EXPECT_EQ(got.header.geometry.layers, 2U);
}

TEST_F(GrownFormat, ReadsATableWithAListOfExpertsAndLinesOfJson) {
  for (const char* text : {"layer,experts,token\n0,3 1,0\n1,2;4,0\n",
                           "token_idx,layer_id,topk_ids\n7,0,\"[3, 1]\"\n7,1,\"[2, 4]\"\n",
                           "{\"token\": 0, \"layer\": 0, \"experts\": [3, 1]}\n{\"token\": 0, \"layer\": 1, "
                           "\"experts\": [2, 4]}\n",
                           "{\"layer\":0,\"topk_ids\":[3,1],\"position\":5,\"more\":null}\r\n{\"layer\":1,"
                           "\"topk_ids\":[2,4],\"position\":5}"}) {
    const Imported got = import(text, kEightExperts);
    ASSERT_EQ(got.error, "") << text;
    EXPECT_EQ(choices_of(got), kTwoSteps) << text;
  }
}

TEST_F(GrownFormat, GathersThePrefillOfATableWhateverItsOrder) {
  const Imported got = import(
      "token,layer,expert,phase\n0,0,3,prefill\n0,1,2,prefill\n1,0,4,prefill\n1,1,5,prefill\n2,0,6,decode\n2,"
      "1,7,decode\n",
      kEightExperts);
  ASSERT_EQ(got.error, "");
  EXPECT_EQ(choices_of(got), (std::vector<std::vector<uint16_t>>{{3, 4}, {2, 5}, {6}, {7}}));
  EXPECT_EQ(got.steps[0].tokens, 2U);
  EXPECT_EQ(got.steps[0].phase, Phase::prefill);
  EXPECT_EQ(got.steps[2].pass, 1U);
}

TEST_F(GrownFormat, SaysWhatATableLacksOrWhereItIsWrong) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"layer_id,expert_id,count\n0,1,55\n", "totals"},
      {"token,layer,expert\n", "has no rows"},
      {"token,layer,expert\n0,0,8\n", ":2: expert 8 is not a number below 8"},
      {"token,layer,expert\n0,0,1\n0,0,1\n", ":3: token 0, layer 0: expert 1 is chosen twice"},
      {"token,layer,expert\n0,0,1\n1,0,1\n0,1,1\n", "out of order"},
      {"token,layer,expert\n0,0,1\n0,0,2\n0,1,1\n1,0,2\n", "token 0, layer 1 has 1 experts; others have 2"},
      {"token,layer,expert\n0,0,1\n0,70000,2\n", ":3: layer 70000 is beyond"},
      {"token,layer,experts\n0,0,1 x\n", ":2: '1 x' is not a list"},
      {"{\"token\":0,\"layer\":0,\"experts\":[1]}\n{\"token\":1,\"layer\":0}\n", ":2: is not an object"}};
  for (const auto& [text, message] : cases) {
    const Imported got = import(text, kEightExperts);
    EXPECT_NE(got.error.find(message), std::string::npos) << text << got.error;
  }
  EXPECT_NE(import("token,layer,expert\n0,0,1\n").error.find("--experts"), std::string::npos);
}

}  // namespace
}  // namespace spillway::testing
