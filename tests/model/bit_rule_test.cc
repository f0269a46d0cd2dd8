#include "model/bit_rule.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "model/gguf/gguf_head.h"
#include "model/gguf/gguf_writer.h"
#include "tests/model/gguf_builder.h"

namespace spillway {
namespace {

WeightGroup group_named(const std::string& name, const std::array<uint64_t, 4>& dims = {256, 8, 1, 1}) {
  GgufTensor tensor;
  tensor.name = name;
  tensor.dims = dims;
  return weight_group(tensor, 4);
}

TEST(BitRule, KnowsWhatATensorIsForByItsName) {
  EXPECT_EQ(group_named("token_embd.weight"), WeightGroup::embeddings);
  EXPECT_EQ(group_named("output.weight"), WeightGroup::output);
  EXPECT_EQ(group_named("output_norm.weight", {256, 1, 1, 1}), WeightGroup::small);
  EXPECT_EQ(group_named("blk.2.attn_q.weight"), WeightGroup::attention);
  EXPECT_EQ(group_named("blk.2.attn_qkv.weight"), WeightGroup::attention);
  EXPECT_EQ(group_named("blk.2.attn_q.bias", {256, 1, 1, 1}), WeightGroup::small);
  EXPECT_EQ(group_named("blk.2.ssm_out.weight"), WeightGroup::attention);
  EXPECT_EQ(group_named("blk.2.ssm_conv1d.weight", {4, 256, 1, 1}), WeightGroup::small);
  EXPECT_EQ(group_named("blk.2.ssm_alpha.weight"), WeightGroup::small);
  EXPECT_EQ(group_named("blk.2.shortconv.conv.weight", {3, 256, 1, 1}), WeightGroup::small);
  EXPECT_EQ(group_named("position_embd.weight"), WeightGroup::small);
  EXPECT_EQ(group_named("blk.2.ffn_gate_inp.weight"), WeightGroup::router);
  EXPECT_EQ(group_named("blk.2.ffn_gate_inp_shexp.weight", {256, 1, 1, 1}), WeightGroup::router);
  EXPECT_EQ(group_named("blk.2.ffn_up_shexp.weight"), WeightGroup::shared_experts);
  EXPECT_EQ(group_named("blk.2.ffn_up.weight"), WeightGroup::dense);
  EXPECT_EQ(group_named("blk.2.ffn_gate_up_exps.weight", {256, 8, 4, 1}), WeightGroup::routed_experts);
  EXPECT_EQ(group_named("blk.2.nextn.eh_proj.weight"), WeightGroup::other);
  EXPECT_EQ(group_named("blk.x.attn_q.weight"), WeightGroup::other);
}

TEST(BitRule, CountsTheFirstAndTheLastBlockAndWhatIsBehindAsEdges) {
  for (const auto& [block, group] : {std::pair{0, WeightGroup::edge_experts},
                                     {1, WeightGroup::routed_experts},
                                     {2, WeightGroup::routed_experts},
                                     {3, WeightGroup::edge_experts},
                                     {4, WeightGroup::edge_experts}}) {
    EXPECT_EQ(group_named(fmt::format("blk.{}.ffn_down_exps.weight", block), {256, 8, 4, 1}), group) << block;
  }
}

TEST(BitRule, ReadsItsTwoNumbers) {
  const Result<BitRule> rule = BitRule::parse("static:2,16");
  ASSERT_TRUE(rule);
  EXPECT_EQ(rule->low, 2U);
  EXPECT_EQ(rule->high, 16U);
  for (const char* text : {"", "static", "static:", "static:2", "static:2,", "static:2,4,8", "static:7,8",
                           "static:2,x", "static:-2,4", "dynamic:2,4", "2,4", "static:2 ,4", "static:1,4"}) {
    const Result<BitRule> wrong = BitRule::parse(text);
    ASSERT_FALSE(wrong) << text;
    EXPECT_EQ(wrong.error().kind, ErrorKind::usage);
  }
  const Result<BitRule> swapped = BitRule::parse("static:4,2");
  ASSERT_FALSE(swapped);
  EXPECT_NE(swapped.error().message.find("routed experts"), std::string::npos);
}

struct ChosenType {
  TensorType type{};
  Shortfall shortfall{};
  uint64_t bytes = 0;
};

Result<ChosenType> chosen(TensorType from, uint64_t columns, uint32_t bits) {
  const test::ModelDirectory folder;
  test::GgufBuilder builder;
  builder.tensor("token_embd.weight", {columns, 4}, from);
  const Result<Gguf> gguf = Gguf::open(folder.write(builder.bytes()));
  if (!gguf) {
    return Unexpected(gguf.error());
  }
  Result<std::vector<WeightChoice>> choices = choose_types(*gguf, 2, {2, bits});
  if (!choices) {
    return propagate(choices);
  }
  return ChosenType{choices->front().type, choices->front().shortfall, choices->front().bytes};
}

void expect_chosen(TensorType from, uint64_t columns, uint32_t bits, TensorType type, Shortfall shortfall) {
  SCOPED_TRACE(fmt::format("{} of {} at {}", tensor_type_info(from).name, columns, bits));
  const Result<ChosenType> choice = chosen(from, columns, bits);
  ASSERT_TRUE(choice) << choice.error().message;
  EXPECT_EQ(choice->type, type);
  EXPECT_EQ(choice->shortfall, shortfall);
  EXPECT_EQ(choice->bytes, 4 * *row_bytes(type, columns));
}

TEST(BitRule, GivesEachBitWidthItsType) {
  using T = TensorType;
  for (const auto& [bits, type] : {std::pair{2U, T::q2_k},
                                   {3U, T::q3_k},
                                   {4U, T::q4_k},
                                   {5U, T::q5_k},
                                   {6U, T::q6_k},
                                   {8U, T::q8_0},
                                   {16U, T::f16}}) {
    expect_chosen(T::f32, 512, bits, type, Shortfall::none);
  }
}

TEST(BitRule, TakesOtherTypesWhereRowsAreNotWholeKBlocks) {
  using T = TensorType;
  expect_chosen(T::f32, 96, 2, T::q4_0, Shortfall::no_k_type);
  expect_chosen(T::bf16, 96, 4, T::q4_0, Shortfall::no_q4_k);
  expect_chosen(T::f16, 96, 5, T::q8_0, Shortfall::no_k_type);
  expect_chosen(T::f16, 96, 8, T::q8_0, Shortfall::none);
  expect_chosen(T::q4_0, 96, 2, T::q4_0, Shortfall::no_k_type);
  expect_chosen(T::f32, 40, 4, T::f32, Shortfall::no_blocks);
  expect_chosen(T::f32, 40, 16, T::f16, Shortfall::none);
}

TEST(BitRule, LeavesWhatIsNarrowEnough) {
  using T = TensorType;
  expect_chosen(T::q4_k, 512, 4, T::q4_k, Shortfall::none);
  expect_chosen(T::q4_0, 512, 4, T::q4_0, Shortfall::none);
  expect_chosen(T::q4_0, 96, 4, T::q4_0, Shortfall::none);
  expect_chosen(T::q4_0, 96, 6, T::q4_0, Shortfall::narrow_already);
  expect_chosen(T::iq2_xs, 512, 6, T::iq2_xs, Shortfall::narrow_already);
  expect_chosen(T::bf16, 96, 16, T::bf16, Shortfall::none);
  expect_chosen(T::iq3_s, 512, 4, T::iq3_s, Shortfall::narrow_already);
}

TEST(BitRule, RefusesATypeThatCannotBeReadByName) {
  const Result<ChosenType> choice = chosen(TensorType::i8, 512, 4);
  ASSERT_FALSE(choice);
  EXPECT_NE(choice.error().message.find("token_embd.weight"), std::string::npos);
  EXPECT_NE(choice.error().message.find("I8"), std::string::npos);
}

// A head that is copied pair by pair and tensor by tensor equals its source.
TEST(GgufWriter, WritesWhatWasRead) {
  const test::ModelDirectory folder;
  const test::GgufBuilder builder = test::tiny_moe();
  const std::string bytes = builder.bytes();
  const std::string path = folder.write(bytes);
  const Result<Gguf> gguf = Gguf::open(path);
  const Result<std::vector<GgufPair>> pairs = find_gguf_pairs(path);
  ASSERT_TRUE(gguf && pairs);
  GgufWriter writer(builder.alignment);
  for (const GgufPair& pair : *pairs) {
    EXPECT_TRUE(gguf->metadata().has(pair.key));
    writer.pair(std::string_view(bytes).substr(pair.begin, pair.end - pair.begin));
  }
  EXPECT_EQ(pairs->size(), gguf->metadata().values().size());
  for (const GgufTensor& tensor : gguf->tensors()) {
    writer.tensor(tensor.name, tensor.dims, tensor.type, tensor.bytes);
  }
  EXPECT_EQ(writer.head(), bytes.substr(0, builder.data_begin()));
  EXPECT_EQ(writer.data_bytes(), bytes.size() - builder.data_begin());
}

}  // namespace
}  // namespace spillway
