#include "traces/export/export.h"

#include "tests/traces/import_testing.h"
#include "traces/cut.h"
#include "traces/limit.h"
#include "traces/oracle_general.h"

namespace spillway::testing {
namespace {

class Export : public ::testing::Test {
 protected:
  // Returns a sink that collects an exporter's output in `out`.
  auto sink() {
    return [this](std::span<const uint8_t> bytes) -> Result<void> {
      out_.insert(out_.end(), bytes.begin(), bytes.end());
      return {};
    };
  }

  TemporaryDirectory scratch_;
  Buffer out_;
};

Step step_of(const ModelGeometry& geometry, uint64_t index, uint64_t pass, uint32_t layer,
             std::vector<uint16_t> choices) {
  Step step;
  step.index = index;
  step.pass = pass;
  step.layer = layer;
  step.choices = std::move(choices);
  step.tokens = uint32_t(step.choices.size()) / geometry.used_top_k;
  step.phase = step.tokens > 1 ? Phase::prefill : Phase::decode;
  std::vector<bool> seen(geometry.experts_per_layer);
  collect_distinct(geometry, seen, step);
  return step;
}

TEST_F(Export, WritesOracleGeneralByteForByte) {
  const ModelGeometry geometry{2, 4, 2, 2, {512, 1024}};
  StepList source(geometry, {step_of(geometry, 0, 0, 0, {0, 1}), step_of(geometry, 1, 0, 1, {3, 0}),
                             step_of(geometry, 2, 1, 0, {1, 2})});
  const Result<MemoryTrace> trace = MemoryTrace::load(source);
  ASSERT_TRUE(export_oracle_general(*trace, sink()));
  const Buffer expected = {
      0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255,  //
      0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 5,   0,   0,   0,   0,   0,   0,   0,    //
      1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255,  //
      1, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255,  //
      2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255,  //
      2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255};
  EXPECT_EQ(out_, expected);
}

TEST_F(Export, OracleGeneralComesBackAsTheSameAccesses) {
  const ModelGeometry geometry = small_geometry(4, 16, 3);
  Rng rng(9);
  std::vector<Step> steps;
  for (uint64_t i = 0; i < 400; ++i) {
    Step step;
    step.index = i;
    step.layer = uint32_t(i % 4);
    step.pass = i / 4;
    step.phase = i < 4 ? Phase::prefill : Phase::decode;
    step.tokens = i < 4 ? 5 : 1;
    choose_at_random(geometry, rng, step);
    steps.push_back(step);
  }
  StepList source(geometry, steps);
  ASSERT_TRUE(export_oracle_general(*MemoryTrace::load(source), sink()));
  write_bytes(scratch_ / "t.oracleGeneral", out_);
  ImportOptions options;
  options.layers = 4;
  options.experts_per_layer = 16;
  options.used_top_k = 3;
  const auto back = import_to_reader(scratch_, scratch_ / "t.oracleGeneral", options);
  const std::vector<Step> got = drain(*back);
  ASSERT_EQ(got.size(), steps.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].experts, steps[i].experts) << i;
    EXPECT_EQ(got[i].layer, steps[i].layer) << i;
    EXPECT_EQ(got[i].pass, steps[i].pass) << i;
    EXPECT_EQ(got[i].phase, steps[i].phase) << i;
  }
}

TEST_F(Export, CsvComesBackWhole) {
  for (unsigned bits = 0; bits < 16; ++bits) {
    SCOPED_TRACE(bits);
    Rng rng(bits + 100);
    const TraceHeader header{small_geometry(4, 30, 3),
                             "m,\"n\"",
                             {(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0},
                             {{"who", "me"}},
                             {{"synth", 7}}};
    std::vector<Step> steps = random_steps(header.geometry, header.columns, 200, rng);
    for (Step& step : steps) {
      if (step.choices.empty()) {
        step.token_ids.clear();  // rows of a step without known tokens have no place for ids
      }
    }
    write_trace(scratch_ / "t.bin", header, steps);
    out_.clear();
    auto reader = TraceReader::open(scratch_ / "t.bin");
    ASSERT_TRUE(export_csv(**reader, (*reader)->header(), sink()));
    write_bytes(scratch_ / "t.csv", out_);
    const auto back = import_to_reader(scratch_, scratch_ / "t.csv");
    EXPECT_EQ(back->header(), header);
    expect_same(drain(*back), steps);
    if (HasFailure()) {
      return;
    }
  }
}

TEST_F(Export, CsvSaysInWhichLineItIsWrong) {
  const ModelGeometry geometry = small_geometry(2, 4, 2);
  StepList source(geometry, {step_of(geometry, 0, 0, 0, {0, 1, 2, 3}), step_of(geometry, 1, 0, 1, {3, 0})});
  ASSERT_TRUE(export_csv(source, {geometry, "", {}, {}, {}}, sink()));
  const std::string text(out_.begin(), out_.end());
  EXPECT_NE(text.find("\n0,prefill,0,0,2,1,3,,,,,\n"), std::string::npos) << text;
  for (const auto& [from, to, complaint] : std::vector<std::array<std::string, 3>>{
           {"0,prefill,0,0,2,1,3,", "0,prefill,0,0,2,1,4,", ":6: "},
           {"0,prefill,0,0,2,1,3,", "0,prefill,0,0,2,0,3,", ":6: has token 0 of 2; token 1"},
           {"0,prefill,0,0,2,1,3,,,,,\n", "", ":6: "},
           {"0,prefill,0,0,2,1,3,", "0,prefill,0,0,2,1,2,", "chosen twice"},
           {"0,prefill,0,0,2,1,3,", "0,warm-up,0,0,2,1,3,", ":6: "},
           {"pass,phase", "phase,pass", ":3: "},
           {"pass,phase", "past,phase", ":2: has no column 'pass'"},
           {"\"layers\":2", "\"layers\":0", ":1: "}}) {
    std::string bad = text;
    bad.replace(bad.find(from), from.size(), to);
    write_text(scratch_ / "t.csv", bad);
    const Imported got = import_all(scratch_ / "t.csv");
    std::string error = got.error;
    if (error.empty()) {  // an error that only the writer can detect
      auto writer = TraceWriter::create(scratch_ / "t.bin", got.header);
      for (const Step& step : got.steps) {
        if (const Result<void> appended = (*writer)->append(step); !appended) {
          error = appended.error().message;
        }
      }
    }
    EXPECT_NE(error.find(complaint), std::string::npos) << to << " gave: " << error;
  }
}

TEST(Limit, TakesTheFirstDecodePassesAndThePrefillBeforeThem) {
  const ModelGeometry geometry = small_geometry(2, 4, 2);
  std::vector<Step> steps;
  const std::vector<bool> prefill = {true, false, false, true, false};
  for (uint64_t pass = 0; pass < prefill.size(); ++pass) {
    for (uint32_t layer = 0; layer < 2; ++layer) {
      steps.push_back(step_of(geometry, steps.size(), pass, layer, {0, 1}));
      steps.back().phase = prefill[pass] ? Phase::prefill : Phase::decode;
    }
  }
  for (const auto& [tokens, passes] :
       std::vector<std::pair<uint64_t, size_t>>{{0, 0}, {1, 2}, {2, 3}, {3, 5}, {9, 5}}) {
    StepList source(geometry, steps);
    LimitedSource limited(source, tokens);
    EXPECT_EQ(drain(limited).size(), passes * 2) << tokens;
  }
}

TEST(Cut, KeepsPassesAndSequencesInTheirRanges) {
  const ModelGeometry geometry = small_geometry(1, 4, 2);
  std::vector<Step> steps;
  for (uint64_t pass = 0; pass < 6; ++pass) {
    steps.push_back(step_of(geometry, pass, pass, 0, {0, 1}));
    steps.back().sequence = uint32_t(pass / 2);
  }
  StepList source(geometry, steps);
  CutSource cut(source, {1, 4}, {1, 2});
  const std::vector<Step> got = drain(cut);
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(got[0].pass, 2U);
  EXPECT_EQ(got[0].index, 0U);
  EXPECT_EQ(got[2].pass, 4U);
}

TEST(NextUse, NamesTheNextStepThatUsesEachExpert) {
  const ModelGeometry geometry = small_geometry(2, 4, 2);
  StepList source(geometry, {step_of(geometry, 0, 0, 0, {0, 1}), step_of(geometry, 1, 0, 1, {0, 1}),
                             step_of(geometry, 2, 1, 0, {1, 2}), step_of(geometry, 3, 1, 1, {3, 2}),
                             step_of(geometry, 4, 2, 0, {1, 0})});
  Result<MemoryTrace> trace = MemoryTrace::load(source);
  EXPECT_FALSE(trace->info().has_next_use);
  trace->annotate_next_use();
  EXPECT_TRUE(trace->info().has_next_use);
  const std::vector<Step> got = drain(*trace->cursor());
  constexpr uint64_t kNever = kNeverUsedAgain;
  EXPECT_EQ(got[0].next_use, (std::vector<uint64_t>{4, 2}));
  EXPECT_EQ(got[1].next_use, (std::vector<uint64_t>{kNever, kNever}));
  EXPECT_EQ(got[2].next_use, (std::vector<uint64_t>{4, kNever}));
  EXPECT_EQ(got[4].next_use, (std::vector<uint64_t>{kNever, kNever}));
}

}  // namespace
}  // namespace spillway::testing
