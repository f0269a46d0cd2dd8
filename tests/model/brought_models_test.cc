#include <fmt/ranges.h>

#include "model/gguf/foreign_tensors.h"
#include "model/layer_kinds.h"
#include "tests/model/oracle.h"
#include "tests/support/changed_model.h"
#include "tests/support/mentions.h"

// Models as people bring them: the same weights, with keys and tensors as other converters write them.
namespace spillway {
namespace {

using oracle::Row;
using test::ChangedModel;

const std::vector<TokenId> kTokens = {1, 17, 5, 99, 3, 42, 7, 150};

void expect_mentions(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in: " << text;
  }
}

class BroughtModel : public ::testing::Test {
 protected:
  std::string model(const std::string& name) { return test::unpack_model(name, folder_.path()); }

  static std::vector<Row> logits(const std::string& path) { return oracle::answer(path, kTokens).logits; }

  static std::string refusal(const std::string& path) {
    const Result<Model> built = oracle::Subject(path).build();
    return built ? "built" : built.error().message;
  }

  const test::TemporaryDirectory folder_;
};

TEST_F(BroughtModel, MayListItsHeadsLayerByLayer) {
  const std::string path = model("small-qwen3moe-f32");
  const Gguf gguf = std::move(*Gguf::open(path));
  const GgufMetadata& keys = gguf.metadata();
  const auto layers = size_t(*keys.integer<uint32_t>("qwen3moe.block_count"));
  const std::vector<uint32_t> heads(layers, *keys.integer<uint32_t>("qwen3moe.attention.head_count"));
  const std::vector<int32_t> kv_heads(layers + 1, *keys.integer<int32_t>("qwen3moe.attention.head_count_kv"));
  const std::string listed = ChangedModel(path)
                                 .numbers("qwen3moe.attention.head_count", heads)
                                 .numbers("qwen3moe.attention.head_count_kv", kv_heads)
                                 .write();
  EXPECT_EQ(logits(listed), logits(path));
  const std::string short_list =
      ChangedModel(path)
          .numbers("qwen3moe.attention.head_count_kv", std::vector<uint32_t>{uint32_t(kv_heads.front())})
          .write();
  expect_mentions(refusal(short_list), {"attention.head_count_kv", "layer 1"});
  const std::string none = ChangedModel(path)
                               .numbers("qwen3moe.attention.head_count_kv", std::vector<uint32_t>(layers, 0))
                               .write();
  expect_mentions(refusal(none), {"0 key heads"});
}

TEST_F(BroughtModel, IsRecurrentWhereItListsNoKeyHeads) {
  const std::string path = model("small-qwen35moe-f32");
  const Gguf gguf = std::move(*Gguf::open(path));
  const auto layers = *gguf.metadata().integer<uint32_t>("qwen35moe.block_count");
  const auto heads = *gguf.metadata().integer<uint32_t>("qwen35moe.attention.head_count_kv");
  const std::vector<LayerKind> kinds = *layer_kinds(gguf, layers);
  std::vector<uint32_t> listed;
  for (const LayerKind kind : kinds) {
    listed.push_back(kind == LayerKind::recurrent ? 0 : heads);
  }
  const std::string changed = ChangedModel(path)
                                  .numbers("qwen35moe.attention.head_count_kv", listed)
                                  .without("qwen35moe.full_attention_interval")
                                  .write();
  EXPECT_EQ(*layer_kinds(std::move(*Gguf::open(changed)), layers), kinds);
  EXPECT_EQ(logits(changed), logits(path));
}

TEST_F(BroughtModel, MayHaveThreeSectionsOfPositions) {
  const std::string path = model("small-qwen35moe-f32");
  const std::string key = "qwen35moe.rope.dimension_sections";
  std::vector<int32_t> sections = *Gguf::open(path)->metadata().integers<int32_t>(key);
  ASSERT_EQ(sections.size(), 4U);
  ASSERT_EQ(sections.back(), 0);
  sections.pop_back();
  EXPECT_EQ(logits(ChangedModel(path).numbers(key, sections).write()), logits(path));
  sections.pop_back();
  expect_mentions(refusal(ChangedModel(path).numbers(key, sections).write()), {"three or four"});
}

TEST_F(BroughtModel, LeavesOutWhatBelongsToSomethingElseAndNamesIt) {
  const std::string path = model("small-qwen35moe-f32");
  const std::string changed = ChangedModel(path)
                                  .tensor("v.blk.0.attn_q.weight", 64)
                                  .tensor("mm.0.weight", 8)
                                  .tensor("mtp.layers.0.mlp.experts.3.down_proj.weight", 16)
                                  .write();
  EXPECT_EQ(logits(changed), logits(path));
  const Gguf gguf = std::move(*Gguf::open(changed));
  const auto layers = *gguf.metadata().integer<uint32_t>("qwen35moe.block_count");
  EXPECT_EQ(ResidentWeights::bytes_needed(gguf, layers),
            ResidentWeights::bytes_needed(std::move(*Gguf::open(path)), layers));
  const std::string said = describe_left_out(gguf, layers);
  expect_mentions(said, {"vision tower (1 tensors, 256 B)", "draft head", "vision projector"});
  EXPECT_EQ(describe_left_out(std::move(*Gguf::open(path)), layers), "");
  const std::string unknown = ChangedModel(path).tensor("blk.0.attn_something.weight", 8).write();
  expect_mentions(refusal(unknown), {"blk.0.attn_something.weight", "not used"});
}

TEST_F(BroughtModel, DividesThePositionsOfAStretchedContext) {
  const std::string path = model("small-qwen3moe-f32");
  const std::vector<Row> plain = logits(path);
  const std::string factor = "qwen3moe.rope.scaling.factor";
  const std::string type = "qwen3moe.rope.scaling.type";
  const std::vector<Row> scaled = logits(ChangedModel(path).number(factor, 4.0F).write());
  EXPECT_NE(scaled, plain);
  EXPECT_EQ(logits(ChangedModel(path).number(factor, 4.0F).text(type, "linear").write()), scaled);
  EXPECT_EQ(logits(ChangedModel(path).number("qwen3moe.rope.scale_linear", 4.0F).write()), scaled);
  EXPECT_EQ(logits(ChangedModel(path).number(factor, 4.0F).text(type, "none").write()), plain);
  EXPECT_EQ(logits(ChangedModel(path).number(factor, 1.0F).text(type, "linear").write()), plain);
  EXPECT_EQ(logits(ChangedModel(path).text(type, "linear").write()), plain);
  const std::string yarn = refusal(ChangedModel(path).number(factor, 4.0F).text(type, "yarn").write());
  expect_mentions(yarn, {type, "yarn"});
  for (const float wrong : {-2.0F, INFINITY, NAN}) {
    EXPECT_NE(refusal(ChangedModel(path).number(factor, wrong).write()), "built") << wrong;
  }
}

// llama.cpp (the version of tests/oracle/install_llama) continues "The kernel" with these tokens on the
// bundled model with that factor.
TEST_F(BroughtModel, WritesWhatLlamaCppWritesInAStretchedContext) {
  const std::string path = folder_ / "bundled.gguf";
  std::filesystem::copy_file(SPILLWAY_SOURCE_DIR "/bundled/tiny-moe-q4_0.gguf", path);
  const std::string changed = ChangedModel(path).number("qwen3moe.rope.scaling.factor", 4.0F).write();
  const oracle::Answer got = oracle::answer(changed, {581, 1241}, 8);
  EXPECT_EQ(got.tokens, (std::vector<TokenId>{581, 1241, 328, 477, 2575, 437, 274, 198, 771, 1241}));
}

TEST_F(BroughtModel, IsRefusedWithTheKeyThatWouldChangeTheResult) {
  const std::string path = model("small-qwen3moe-f32");
  EXPECT_EQ(refusal(ChangedModel(path).number("qwen3moe.logit_scale", 1.0F).write()), "built");
  EXPECT_EQ(refusal(ChangedModel(path).number("qwen3moe.attention.sliding_window", uint32_t(0)).write()),
            "built");
  for (const auto& [key, value] : {std::pair<std::string, float>{"final_logit_softcapping", 30.0F},
                                   {"residual_scale", 0.5F},
                                   {"attention.clamp_kqv", 8.0F},
                                   {"rope.scaling.attn_factor", 1.2F}}) {
    const std::string said = refusal(ChangedModel(path).number("qwen3moe." + key, value).write());
    expect_mentions(said, {"qwen3moe." + key, "wrongly"});
  }
  const std::string hybrid = model("small-qwen35moe-f32");
  const std::string said =
      refusal(ChangedModel(hybrid).number("qwen35moe.ssm.v_head_reordered", false).write());
  expect_mentions(said, {"ssm.v_head_reordered", "false"});
  EXPECT_EQ(refusal(ChangedModel(hybrid).number("qwen35moe.ssm.v_head_reordered", true).write()), "built");
  for (const auto& [key, value] : {std::pair<std::string, float>{"attention.layer_norm_rms_epsilon", 0.0F},
                                   {"attention.layer_norm_rms_epsilon", NAN},
                                   {"rope.freq_base", -1.0F},
                                   {"rope.freq_base", INFINITY}}) {
    expect_mentions(refusal(ChangedModel(path).number("qwen3moe." + key, value).write()), {key});
  }
}

TEST_F(BroughtModel, NamesTheTensorThatHoldsNoNumber) {
  const std::string path = model("small-qwen3moe-f32");
  const std::string norm = refusal(ChangedModel(path).value("blk.1.attn_norm.weight", 3, NAN).write());
  expect_mentions(norm, {"blk.1.attn_norm.weight", "value 3", "nan"});
  for (const std::string tensor : {"blk.0.attn_q.weight", "output.weight", "token_embd.weight"}) {
    const Gguf gguf = std::move(*Gguf::open(ChangedModel(path).value(tensor, 77, INFINITY).write()));
    const auto layers = *gguf.metadata().integer<uint32_t>("qwen3moe.block_count");
    AlignedBytes memory;
    memory.resize(ResidentWeights::bytes_needed(gguf, layers));
    const Result<ResidentWeights> weights =
        ResidentWeights::load(gguf, layers, {memory.data(), ResidentWeights::bytes_needed(gguf, layers)});
    ASSERT_TRUE(weights);
    EXPECT_EQ(weights->find_damaged(), tensor);
  }
}

}  // namespace
}  // namespace spillway
