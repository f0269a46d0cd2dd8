#include "model/gguf/gguf_experts.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/model/gguf_builder.h"
#include "tests/support/mentions.h"
#include "tests/support/references.h"

namespace spillway {
namespace {

using test::mentions;

using test::GgufBuilder;
using test::ModelDirectory;
using test::split_part;
using test::tiny_moe;

class GgufExpertsTest : public ::testing::Test {
 protected:
  Gguf opened(const GgufBuilder& builder) {
    Result<Gguf> gguf = Gguf::open(directory_.write(builder.bytes()));
    if (!gguf) {
      throw std::runtime_error(gguf.error().message);
    }
    return std::move(*gguf);
  }
  std::string refusal(const GgufBuilder& builder) {
    const Result<GgufExperts> experts = find_gguf_experts(opened(builder));
    return experts ? "found" : experts.error().message;
  }
  std::string geometry_refusal(const GgufBuilder& builder) {
    const Gguf gguf = opened(builder);
    const Result<GgufExperts> experts = find_gguf_experts(gguf);
    if (!experts) {
      return "no experts: " + experts.error().message;
    }
    const Result<ModelGeometry> geometry = gguf_geometry(gguf, *experts);
    return geometry ? "made" : geometry.error().message;
  }

  ModelDirectory directory_;
};

GgufBuilder& add_layer(GgufBuilder& builder, uint32_t layer, uint64_t experts = 2) {
  for (const char* kind : {"gate", "up", "down"}) {
    builder.tensor(fmt::format("blk.{}.ffn_{}_exps.weight", layer, kind), {32, 1, experts}, TensorType::q8_0);
  }
  return builder;
}

TEST_F(GgufExpertsTest, AreGateUpAndDownInThatOrderWhateverTheOrderOfTheFile) {
  const GgufBuilder builder = tiny_moe();
  const Result<GgufExperts> experts = find_gguf_experts(opened(builder));
  ASSERT_TRUE(experts) << experts.error().message;
  EXPECT_EQ(experts->experts_per_layer, 4U);
  ASSERT_EQ(experts->layers.size(), 2U);
  const std::vector<GgufExpertTensor>& parts = experts->layers[0];
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(parts[0].part, ExpertPart::gate);
  EXPECT_EQ(parts[0].offset, builder.data_begin() + 64);
  EXPECT_EQ(parts[0].bytes, 68U);
  EXPECT_EQ(parts[0].type, TensorType::q8_0);
  EXPECT_EQ(parts[1].part, ExpertPart::up);
  EXPECT_EQ(parts[1].offset, builder.data_begin() + 64 + 320 + 1024);
  EXPECT_EQ(parts[2].part, ExpertPart::down);
  EXPECT_EQ(parts[2].offset, builder.data_begin() + 64 + 320);
  EXPECT_EQ(parts[2].bytes, 256U);
  EXPECT_EQ(parts[2].type, TensorType::f32);
  EXPECT_EQ(parts[2].experts, 4U);
}

TEST_F(GgufExpertsTest, AreTwoPartsWhereGateAndUpAreFused) {
  const Result<GgufExperts> experts = find_gguf_experts(opened(tiny_moe()));
  ASSERT_TRUE(experts) << experts.error().message;
  const std::vector<GgufExpertTensor>& parts = experts->layers[1];
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].part, ExpertPart::gate_up);
  EXPECT_EQ(parts[0].bytes, 4U * 34);
  EXPECT_EQ(parts[1].part, ExpertPart::down);
  EXPECT_EQ(experts->expert_bytes(), (std::vector<uint64_t>{68 + 68 + 256, 4 * 34 + 2 * 18}));
}

TEST_F(GgufExpertsTest, OfALayerWithoutAnyAreEmpty) {
  GgufBuilder builder;
  const Result<GgufExperts> experts = find_gguf_experts(opened(add_layer(builder, 1)));
  ASSERT_TRUE(experts) << experts.error().message;
  EXPECT_EQ(experts->expert_bytes(), (std::vector<uint64_t>{0, 102}));
}

TEST_F(GgufExpertsTest, OfBlocksThatPredictFurtherTokensAreLeftOut) {
  GgufBuilder builder;
  builder.text("general.architecture", "qwen35moe").number("qwen35moe.block_count", 3U);
  builder.number("qwen35moe.nextn_predict_layers", 1U).number("qwen35moe.expert_count", 2U);
  builder.numbers<uint32_t>("qwen35moe.expert_used_count", {1, 2, 1});
  add_layer(add_layer(add_layer(builder, 0), 1), 2);
  const Gguf gguf = opened(builder);
  const Result<GgufExperts> experts = find_gguf_experts(gguf);
  ASSERT_TRUE(experts) << experts.error().message;
  EXPECT_EQ(experts->layers.size(), 2U);
  const Result<ModelGeometry> geometry = gguf_geometry(gguf, *experts);
  ASSERT_TRUE(geometry) << geometry.error().message;
  EXPECT_EQ(geometry->layers, 2U);
  EXPECT_EQ(geometry->top_k, 2U);
}

TEST_F(GgufExpertsTest, MayLieInSeveralFiles) {
  const std::string first =
      directory_.write(split_part(0, "blk.0.ffn_gate_exps.weight"), "m-00001-of-00003.gguf");
  directory_.write(split_part(1, "blk.0.ffn_up_exps.weight"), "m-00002-of-00003.gguf");
  directory_.write(split_part(2, "blk.0.ffn_down_exps.weight"), "m-00003-of-00003.gguf");
  const Result<Gguf> gguf = Gguf::open(first);
  ASSERT_TRUE(gguf) << gguf.error().message;
  const Result<GgufExperts> experts = find_gguf_experts(*gguf);
  ASSERT_TRUE(experts) << experts.error().message;
  for (uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(experts->layers[0][i].file, i);
  }
}

TEST_F(GgufExpertsTest, OfWhichSomeAreMissingAreRefused) {
  EXPECT_TRUE(mentions(refusal(GgufBuilder()), "has no tensors"));
  GgufBuilder gate;
  gate.tensor("blk.0.ffn_gate_exps.weight", {32, 1, 2}, TensorType::q8_0);
  EXPECT_TRUE(mentions(refusal(gate), "layer 0 lacks some of"));
  GgufBuilder both;
  add_layer(both, 0).tensor("blk.0.ffn_gate_up_exps.weight", {32, 2, 2}, TensorType::q8_0);
  EXPECT_TRUE(mentions(refusal(both), "layer 0 lacks some of"));
  GgufBuilder counts;
  EXPECT_TRUE(mentions(refusal(add_layer(add_layer(counts, 0, 2), 1, 3)), "3 experts where others have 2"));
  GgufBuilder twice;
  add_layer(twice, 7).tensor("blk.07.ffn_up_exps.weight", {32, 1, 2}, TensorType::q8_0);
  EXPECT_TRUE(mentions(refusal(twice), "blk.07.ffn_up_exps.weight is the second of its kind"));
}

TEST_F(GgufExpertsTest, OfImpossibleLayersAndShapesAreRefused) {
  for (const char* name : {"blk.65536.ffn_up_exps.weight", "blk.4294967295.ffn_up_exps.weight"}) {
    GgufBuilder far;
    far.tensor(name, {32, 1, 2}, TensorType::q8_0);
    EXPECT_TRUE(mentions(refusal(far), "impossible")) << name;
  }
  GgufBuilder deep;
  deep.tensor("blk.0.ffn_up_exps.weight", {32, 1, 2, 2}, TensorType::q8_0);
  EXPECT_TRUE(mentions(refusal(deep), "32×1×2×2) has an impossible"));
  for (const char* name :
       {"blk..ffn_up_exps.weight", "blk.-1.ffn_up_exps.weight", "blk.0.ffn_new_exps.weight",
        "blk.99999999999.ffn_up_exps.weight", "blk.0.ffn_up_exps.scale", "blk.0.ffn_exps.weight",
        "blk.0.ffn__exps.weight", "blk.0ffn_up_exps.weight"}) {
    GgufBuilder other;
    other.tensor(name, {32, 1, 2}, TensorType::q8_0);
    EXPECT_EQ(refusal(add_layer(other, 0)), "found") << name;
  }
}

TEST_F(GgufExpertsTest, OfAnImpossibleBlockCountAreRefused) {
  const auto counted = [&](auto blocks, uint32_t further) {
    GgufBuilder builder;
    builder.text("general.architecture", "x").number("x.block_count", blocks);
    builder.number("x.nextn_predict_layers", further);
    return refusal(add_layer(add_layer(builder, 0), 1));
  };
  EXPECT_EQ(counted(2U, 0), "found");
  EXPECT_TRUE(mentions(counted(1U, 0), "layer 1 has experts, but block_count is 1"));
  EXPECT_TRUE(mentions(counted(0U, 0), "x.block_count is 0"));
  EXPECT_TRUE(mentions(counted(1U, 1), "x.block_count is 1, and 1 of these blocks predict further tokens"));
  EXPECT_TRUE(mentions(counted(UINT32_MAX, 0), "x.block_count is 4294967295"));
  EXPECT_TRUE(mentions(counted(1.0F, 0), "key x.block_count is the floating-point number 1"));
}

TEST_F(GgufExpertsTest, MakeTheGeometryWithTheKeysOfTheArchitecture) {
  const Gguf gguf = opened(tiny_moe());
  const Result<ModelGeometry> geometry = gguf_geometry(gguf, *find_gguf_experts(gguf));
  ASSERT_TRUE(geometry) << geometry.error().message;
  EXPECT_EQ(
      *geometry,
      (ModelGeometry{
          .layers = 2, .experts_per_layer = 4, .top_k = 2, .used_top_k = 2, .expert_bytes = {392, 172}}));
}

TEST_F(GgufExpertsTest, ContradictedByAKeyMakeNoGeometry) {
  const auto with = [&](uint32_t experts, uint32_t used) {
    GgufBuilder builder;
    builder.text("general.architecture", "x").number("x.expert_count", experts);
    builder.number("x.expert_used_count", used);
    return geometry_refusal(add_layer(builder, 0));
  };
  EXPECT_EQ(with(2, 2), "made");
  EXPECT_TRUE(mentions(with(3, 2), "x.expert_count is 3, but the expert tensors have 2 experts"));
  EXPECT_TRUE(mentions(with(2, 3), "model.gguf: geometry uses 3 experts"));
  EXPECT_TRUE(mentions(with(2, 0), "geometry uses 0 experts"));
  GgufBuilder bare;
  EXPECT_TRUE(mentions(geometry_refusal(add_layer(bare, 0)), "key general.architecture is missing"));
  GgufBuilder named;
  named.text("general.architecture", "x");
  EXPECT_TRUE(mentions(geometry_refusal(add_layer(named, 0)), "key x.expert_count is missing"));
}

// The models in the repository, and those beside it if present: their heads are read whole, their experts are
// found, and their keys agree with the shapes of the tensors.
TEST(GgufSamples, AreReadWhole) {
  const test::TemporaryDirectory scratch;
  for (const std::string& name : test::reference_models()) {
    test::unpack_model(name, scratch.path());
  }
  size_t seen = 0;
  for (const std::string& path :
       {scratch.path(), std::string(SPILLWAY_SOURCE_DIR "/bundled"),
        std::string(SPILLWAY_SHARED_DIR "/models"), std::string(SPILLWAY_SHARED_DIR "/oracle/models")}) {
    if (!std::filesystem::exists(path)) {
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      if (entry.path().extension() != ".gguf") {
        continue;
      }
      SCOPED_TRACE(entry.path());
      ++seen;
      const Result<Gguf> gguf = Gguf::open(entry.path());
      ASSERT_TRUE(gguf) << gguf.error().message;
      const Result<GgufExperts> experts = find_gguf_experts(*gguf);
      ASSERT_TRUE(experts) << experts.error().message;
      const Result<ModelGeometry> geometry = gguf_geometry(*gguf, *experts);
      ASSERT_TRUE(geometry) << geometry.error().message;
      const GgufMetadata& keys = gguf->metadata();
      EXPECT_EQ(geometry->layers, *keys.integer<uint32_t>(*keys.arch_key("block_count")));
      const uint64_t width = *keys.integer<uint64_t>(*keys.arch_key("embedding_length"));
      const size_t words = (*keys.texts("tokenizer.ggml.tokens"))->size();
      EXPECT_TRUE(gguf->tensor("token_embd.weight", {width, words}));
      EXPECT_EQ(keys.integers<int32_t>("tokenizer.ggml.token_type")->size(), words);
      const GgufTensor& last = gguf->tensors().back();
      EXPECT_LE(last.offset + last.bytes, entry.file_size());
      EXPECT_GT(last.offset + last.bytes + 32, entry.file_size());
    }
  }
  EXPECT_GT(seen, 7U);
}

TEST_F(GgufExpertsTest, MayHaveNoGate) {
  GgufBuilder builder;
  builder.text("general.architecture", "nemotron_h_moe");
  builder.tensor("blk.1.ffn_down_exps.weight", {32, 4, 3}, TensorType::q8_0);
  builder.tensor("blk.1.ffn_up_exps.weight", {32, 2, 3}, TensorType::q8_0);
  const Result<GgufExperts> experts = find_gguf_experts(opened(builder));
  ASSERT_TRUE(experts) << experts.error().message;
  EXPECT_EQ(experts->expert_bytes(), (std::vector<uint64_t>{0, 6 * 34}));
  EXPECT_EQ(experts->layers[1][0].part, ExpertPart::up);
}

// What a file without experts is, from whatever its writer put into it.
TEST_F(GgufExpertsTest, SaysWhatAFileWithoutThemIs) {
  const auto file = [](std::string_view kind, std::string_view architecture, std::string_view tensor) {
    GgufBuilder builder;
    if (!kind.empty()) {
      builder.text("general.type", kind);
    }
    if (!architecture.empty()) {
      builder.text("general.architecture", architecture);
    }
    if (!tensor.empty()) {
      builder.tensor(tensor, {32, 2}, TensorType::q8_0);
    }
    return builder;
  };
  const auto expect = [&](const GgufBuilder& builder, std::string_view said) {
    EXPECT_TRUE(mentions(refusal(builder), said)) << refusal(builder);
  };
  expect(file("mmproj", "clip", "v.blk.0.attn_q.weight"), "is a vision projector");
  expect(file("", "clip", "v.blk.0.attn_q.weight"), "is a vision projector");
  expect(file("adapter", "llama", "blk.0.attn_q.weight.lora_a"), "is an adapter");
  expect(file("", "llama", "blk.0.attn_q.weight.lora_a"), "is an adapter");
  expect(file("imatrix", "", "blk.0.attn_q.weight.in_sum2"), "is an importance matrix");
  expect(file("", "", "blk.0.attn_q.weight.in_sum2"), "is an importance matrix");
  expect(file("model", "llama", "blk.3.ffn_gate.0.weight"), "layout of before 2024");
  expect(file("", "llama", "blk.3.ffn_down.12.weight"), "layout of before 2024");
  expect(file("model", "llama", "blk.3.ffn_gate.weight"), "is a dense model of the architecture llama");
  expect(file("model", "qwen3", ""), "has no tensors");
  GgufBuilder incomplete = file("model", "qwen3moe", "blk.0.attn_q.weight");
  incomplete.number("qwen3moe.expert_count", uint32_t(8));
  expect(incomplete, "says it has experts (qwen3moe.expert_count)");
}

}  // namespace
}  // namespace spillway
