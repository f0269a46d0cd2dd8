#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>

#include "core/json.h"
#include "tests/model/gguf_builder.h"
#include "tests/support/program.h"

namespace spillway::test {
namespace {

class QuantizeCli : public testing::Test {
 protected:
  Ran quantize(std::vector<std::string> more) {
    more.insert(more.begin(), {"quantize", model_, output_, "--rule", "static:2,4"});
    return spillway(more);
  }

  double perplexity(const std::string& model) {
    const std::string text = scratch_ / "text";
    std::ofstream(text) << read_file(SPILLWAY_SOURCE_DIR "/tests/oracle/perplexity.txt").substr(0, 2500);
    const Ran ran = spillway(
        {"perplexity", "--model", model, "--file", text, "--context", "128", "--no-probe", "--json", "-"});
    EXPECT_EQ(ran.status, 0) << ran.err;
    return Json::parse(ran.out)["perplexity"]["value"];
  }

  TemporaryDirectory scratch_;
  std::string model_ = SPILLWAY_SOURCE_DIR "/bundled/tiny-moe-q4_0.gguf";
  std::string output_ = scratch_ / "out.gguf";
};

TEST_F(QuantizeCli, SaysWhatBecameOfEachGroup) {
  const Ran ran = quantize({"--json", "-"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json json = Json::parse(ran.out);
  EXPECT_EQ(json["schema"], "spillway.quantize/1");
  EXPECT_EQ(json["rule"], "static:2,4");
  EXPECT_EQ(json["output_bytes"], std::filesystem::file_size(output_));
  EXPECT_LT(json["output_bytes"], std::filesystem::file_size(model_));
  std::map<std::string, Json> groups;
  for (const Json& group : json["groups"]) {
    groups[group["what"]] = group;
  }
  EXPECT_EQ(groups["embeddings"]["type_before"], "Q8_0");
  EXPECT_EQ(groups["embeddings"]["type_after"], "Q4_0");
  EXPECT_EQ(groups["embeddings"]["bits_per_weight"], 4.5);
  EXPECT_GT(groups["embeddings"]["rms_error_relative"], 0.05);
  EXPECT_LT(groups["embeddings"]["rms_error_relative"], 0.1);
  EXPECT_EQ(groups["routed experts"]["type_after"], "Q4_0");
  EXPECT_TRUE(groups["routed experts"]["rms_error_relative"].is_null());
  EXPECT_EQ(groups["router"]["type_after"], "F32");
  EXPECT_EQ(ran.err.find('\033'), std::string::npos) << "a progress bar without a terminal";
}

// The bundled model's rows are 128 and 32 values wide.
TEST_F(QuantizeCli, SaysWhichBitsCouldNotBeHad) {
  const Ran ran = quantize({});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.err.find("30 of 147 tensors, 71.7 % of the bytes, have more bits"), std::string::npos)
      << ran.err;
  EXPECT_NE(ran.err.find("50 of 147 tensors, 7.5 % of the bytes, are in Q4_0"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("a multiple of 256"), std::string::npos) << ran.err;
  EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 3) << ran.err;
  EXPECT_NE(ran.out.find("routed experts"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("together"), std::string::npos) << ran.out;
}

TEST_F(QuantizeCli, MakesAModelThatDecodes) {
  ASSERT_EQ(quantize({"--threads", "2"}).status, 0);
  const Ran recorded = spillway({"record", "--model", output_, "--prompt", "The", "-n", "8", "--no-probe",
                                 "-o", scratch_ / "trace.bin"});
  EXPECT_EQ(recorded.status, 0) << recorded.err;
  const double before = perplexity(model_);
  const double after = perplexity(output_);
  EXPECT_NE(before, after);
  EXPECT_NEAR(after, before, 0.1 * before);
}

TEST_F(QuantizeCli, CopiesWhatNeedsNoChangeByteForByte) {
  ASSERT_EQ(spillway({"quantize", model_, output_, "--rule", "static:8,8"}).status, 0);
  const std::string before = read_file(model_);
  const std::string after = read_file(output_);
  // The head of the output has two more keys.
  constexpr size_t kTail = 4'000'000;
  ASSERT_GT(before.size(), kTail);
  EXPECT_TRUE(before.substr(before.size() - kTail) == after.substr(after.size() - kTail));
}

TEST_F(QuantizeCli, RefusesWhatMakesNoSense) {
  const auto run = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "quantize");
    return spillway(arguments);
  };
  expect_one_line(run({model_, output_}), 2, {"--rule"});
  expect_one_line(run({model_, output_, "--rule", "static:7,8"}), 2, {"--rule", "static:7,8", "LOW,HIGH"});
  expect_one_line(run({model_, output_, "--rule", "static:8,4"}), 2, {"--rule", "routed experts"});
  expect_one_line(run({model_, model_, "--rule", "static:2,4", "--force"}), 2, {model_, "input file"});
  expect_one_line(quantize({"--json", output_}), 2, {"--json", output_});
  expect_one_line(quantize({"--threads", "0"}), 2, {"--threads"});
  expect_one_line(run({scratch_ / "no.gguf", output_, "--rule", "static:2,4"}), 1, {"no.gguf"});
  expect_one_line(run({model_, "/no/such/dir/x", "--rule", "static:2,4"}), 1, {"/no/such/dir/x"});
  EXPECT_FALSE(std::filesystem::exists(output_));
}

TEST_F(QuantizeCli, ReplacesAFileOnlyWhenForced) {
  std::ofstream(output_) << "precious";
  expect_one_line(quantize({}), 1, {output_, "exists already", "--force"});
  EXPECT_EQ(read_file(output_), "precious");
  EXPECT_EQ(quantize({"--force"}).status, 0);
  EXPECT_GT(std::filesystem::file_size(output_), 1'000'000U);
}

TEST_F(QuantizeCli, ShowsAnExample) {
  const Ran ran = spillway({"quantize", "--help"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_NE(ran.out.find("--rule static:2,4"), std::string::npos) << ran.out;
}

// A model with one block of experts, of which only the head is on disk: all values read as zero.
class QuantizeCliMadeModel : public QuantizeCli {
 protected:
  // Returns false where the file system has no sparse files that large.
  bool make(uint64_t columns, uint64_t rows, uint64_t experts, uint32_t type) {
    GgufBuilder builder;
    builder.text("general.architecture", "qwen3moe");
    builder.number("qwen3moe.block_count", uint32_t(1));
    builder.number("qwen3moe.expert_count", uint32_t(experts));
    builder.number("qwen3moe.expert_used_count", uint32_t(2));
    uint64_t offset = 0;
    for (const char* part : {"gate", "up", "down"}) {
      builder.entry(std::string("blk.0.ffn_") + part + "_exps.weight", {columns, rows, experts}, type,
                    offset);
      offset += columns * rows * experts * 4;
    }
    model_ = scratch_ / "model.gguf";
    data_begin_ = builder.data_begin();
    std::ofstream(model_, std::ios::binary) << builder.head();
    std::error_code problem;
    std::filesystem::resize_file(model_, data_begin_ + offset, problem);
    return !problem;
  }

  uint64_t data_begin_ = 0;
};

TEST_F(QuantizeCliMadeModel, GivesWholeRowsOf256KTypes) {
  ASSERT_TRUE(make(256, 8, 4, 0));
  const Ran ran = quantize({"--json", "-"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json json = Json::parse(ran.out);
  ASSERT_EQ(json["groups"].size(), 1U);
  EXPECT_EQ(json["groups"][0]["what"], "first and last block's experts");
  EXPECT_EQ(json["groups"][0]["type_after"], "Q4_K");
  EXPECT_EQ(json["shortfalls"].size(), 0U);
  EXPECT_EQ(spillway({"pack", "--model", output_, "-o", scratch_ / "store"}).status, 0);
}

TEST_F(QuantizeCliMadeModel, NamesTheTensorAndTheValueThatCannotBeQuantized) {
  ASSERT_TRUE(make(256, 8, 4, 0));
  std::fstream file(model_, std::ios::in | std::ios::out | std::ios::binary);
  const float infinity = std::numeric_limits<float>::infinity();
  file.seekp(int64_t(data_begin_ + 256 * 8 * 4 * 4 + 777 * 4));
  file.write(reinterpret_cast<const char*>(&infinity), sizeof infinity);
  file.close();
  expect_one_line(quantize({}), 1, {model_, "blk.0.ffn_up_exps.weight", "value 777", "inf"});
  EXPECT_FALSE(std::filesystem::exists(output_));
}

TEST_F(QuantizeCliMadeModel, RefusesATypeItCannotReadByName) {
  ASSERT_TRUE(make(256, 8, 4, 26));  // I32, of as many bytes as F32
  expect_one_line(quantize({}), 1, {"blk.0.ffn_gate_exps.weight", "I32"});
}

TEST_F(QuantizeCliMadeModel, SeesAFullDiskBeforeItWrites) {
  // 13 TB of values, which would become 1.9 TB.
  constexpr uint64_t kEnough = 1'500'000'000'000;
  if (std::filesystem::space(scratch_.path()).available > kEnough || !make(1 << 18, 1 << 13, 512, 0)) {
    GTEST_SKIP() << "this file system has too much room, or no files that large";
  }
  expect_one_line(quantize({}), 1, {"no room for", output_, "1.86 TB"});
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(scratch_.path()), {}), 1);
}

TEST_F(QuantizeCliMadeModel, LeavesNothingBehindOnCtrlC) {
  ASSERT_TRUE(make(1024, 1024, 64, 0));  // 805 MB
  const std::string folder = scratch_ / "models";
  std::filesystem::create_directory(folder);
  Program program({SPILLWAY_BINARY, "quantize", model_, folder + "/out.gguf", "--rule", "static:2,4"});
  const Ran ran = interrupt_once_it_writes(program, folder);
  if (ran.err.find("no room") != std::string::npos) {
    GTEST_SKIP() << ran.err;
  }
  expect_one_line(ran, 1, {"stopped before the file was complete; nothing of the file is left"});
  EXPECT_TRUE(std::filesystem::is_empty(folder));
}

}  // namespace
}  // namespace spillway::test
