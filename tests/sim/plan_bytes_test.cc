#include <gtest/gtest.h>

#include "tests/sim/plan_fixture.h"

namespace spillway::plan {
namespace {

// docs/CLAIMS.md, Sizes, has the published figures and their sources.
TEST(PlanBytes, AnExpertOfThe397BIsAsLargeAsFlashMoePublished) {
  EXPECT_EQ(model_bytes(qwen35_397b(), named_bits(4).value()).expert, 7'077'888U);
  EXPECT_EQ(model_bytes(qwen35_397b(), named_bits(2).value()).expert, 3'932'160U);
}

TEST(PlanBytes, The397BsExpertsAndTheRestAddUpToWhatIsOnDisk) {
  const ModelBytes four = model_bytes(qwen35_397b(), named_bits(4).value());
  EXPECT_NEAR(double(four.bank()), 209e9, 0.05 * 209e9);
  EXPECT_NEAR(double(four.resident()), 5.5e9, 0.02 * 5.5e9);
  EXPECT_NEAR(double(model_bytes(qwen35_397b(), named_bits(2).value()).bank()), 120e9, 0.01 * 120e9);
}

// mlx-optiq streams 2-bit experts. It keeps their scales, half a bit a weight, in memory, and some layers at
// more bits: 35 GB for 116 G weights are 2.41 bits.
TEST(PlanBytes, The122BsSplitIsAsMlxOptiqPublished) {
  const ModelBytes plain = model_bytes(qwen35_122b(), named_bits(2).value());
  EXPECT_NEAR(double(plain.bank()), 35e9, 0.05 * 35e9);
  const ModelBytes optiq = model_bytes(qwen35_122b(), parse_bits("experts=2.91,scales=0.5,rest=4.5").value());
  EXPECT_NEAR(double(optiq.resident()), 10.7e9, 0.01 * 10.7e9);
  EXPECT_NEAR(double(optiq.bank()), 35e9, 0.01 * 35e9);
  EXPECT_NEAR(double(optiq.on_disk()), 44e9, 0.05 * 44e9);
}

// The M1 Ultra's file has 113.4 GiB and 2.46 bits a weight: experts in IQ2_XS, the router in F32, the head in
// Q6_K, the embedding in Q4_K, and the rest in Q8_0.
TEST(PlanBytes, The397BAt246BitsIsAsLargeAsItsFile) {
  const BitWidths bits = parse_bits("experts=2.3125,rest=8.5,router=32,embedding=4.5,head=6.5625").value();
  EXPECT_NEAR(double(model_bytes(qwen35_397b(), bits).on_disk()), 113.4 * double(1 << 30), 0.01 * 121.8e9);
}

TEST(PlanBytes, FlashMoesBytesPerTokenAreThoseOfFourExpertsALayer) {
  const ModelBytes two = model_bytes(qwen35_397b(), named_bits(2).value());
  EXPECT_EQ(token_traffic(two, 4, 0).experts, 943'718'400U);  // "943 MB/token"
  const ModelBytes four = model_bytes(qwen35_397b(), named_bits(4).value());
  EXPECT_NEAR(double(token_traffic(four, 4, 0).experts), 1.70e9, 0.005e9);
}

// docs/CLAIMS.md, "Memory of a context": 2 × key-value heads × head size values in each layer of
// full attention. Each other layer has a state, in F32: head size² for each value head, and 3
// inputs of the convolution.
TEST(PlanBytes, ContextGrowsInLayersOfFullAttentionOnly) {
  const ModelBytes model = model_bytes(qwen35_122b(), named_bits(4).value());
  EXPECT_EQ(model.full_kv_per_token, 12U * 2 * 2 * 256 * 2);
  EXPECT_EQ(model.state, 36U * (64 * 128 * 128 + 3 * (2 * 16 + 64) * 128) * 4);
  EXPECT_EQ(model.context(0), model.state);
  EXPECT_EQ(model.context(1000), model.state + 1000 * model.full_kv_per_token);
}

TEST(PlanBytes, AWindowStopsGrowing) {
  ModelShape shape = qwen35_122b();
  shape.linear.reset();
  shape.window = 128;
  shape.window_attention = {.heads = 32, .kv_heads = 4, .head_size = 64};
  ASSERT_TRUE(shape.validate());
  const ModelBytes model = model_bytes(shape, named_bits(4).value());
  EXPECT_EQ(model.window_kv_per_token, 36U * 2 * 4 * 64 * 2);
  EXPECT_EQ(model.context(1000) - model.context(500), 500 * model.full_kv_per_token);
  EXPECT_EQ(model.context(100), 100 * (model.full_kv_per_token + model.window_kv_per_token));
}

TEST(PlanBytes, FewerExpertsMoveFewerBytesAndLeaveTheRest) {
  const ModelBytes model = model_bytes(qwen35_122b(), named_bits(4).value());
  const TokenTraffic eight = token_traffic(model, 8, 100);
  const TokenTraffic four = token_traffic(model, 4, 100);
  EXPECT_EQ(eight.experts, 2 * four.experts);
  EXPECT_EQ(eight.weights, four.weights);
  EXPECT_EQ(eight.kv, four.kv);
}

TEST(PlanBytes, ATiedHeadIsStoredOnceAndRead) {
  ModelShape shape = qwen35_122b();
  const ModelBytes untied = model_bytes(shape, named_bits(4).value());
  shape.tied_head = true;
  const ModelBytes tied = model_bytes(shape, named_bits(4).value());
  EXPECT_EQ(untied.resident() - tied.resident(), untied.head);
  EXPECT_EQ(token_traffic(untied, 8, 0).weights, token_traffic(tied, 8, 0).weights);
}

TEST(PlanShape, RefusesWhatNoModelIs) {
  ModelShape shape = qwen35_122b();
  EXPECT_TRUE(shape.validate());
  shape.top_k = 257;
  EXPECT_FALSE(shape.validate());
  shape = qwen35_122b();
  shape.linear.reset();  // without linear attention and a window, the other layers are undefined
  EXPECT_FALSE(shape.validate());
  shape = qwen35_122b();
  shape.full_every = 0;
  EXPECT_NE(shape.validate().error().message.find("full_attention_every"), std::string::npos);
  for (uint32_t LinearAttention::*size : {&LinearAttention::key_heads, &LinearAttention::value_heads,
                                          &LinearAttention::head_size, &LinearAttention::kernel}) {
    for (const uint32_t value : {0U, UINT32_MAX}) {
      shape = qwen35_122b();
      *shape.linear.*size = value;
      EXPECT_FALSE(shape.validate());
    }
  }
  for (uint32_t Attention::*size : {&Attention::heads, &Attention::kv_heads, &Attention::head_size}) {
    for (const uint32_t value : {0U, UINT32_MAX}) {
      shape = qwen35_122b();
      shape.linear.reset();
      shape.window = 128;
      shape.window_attention = {.heads = 32, .kv_heads = 4, .head_size = 64};
      EXPECT_TRUE(shape.validate());
      shape.window_attention.*size = value;
      EXPECT_FALSE(shape.validate());
      shape.window_attention = shape.attention;
      shape.attention.*size = value;
      EXPECT_FALSE(shape.validate());
    }
  }
  for (uint32_t Attention::*size :
       {&Attention::latent, &Attention::query_rank, &Attention::rope_size, &Attention::value_size}) {
    shape = qwen35_122b();
    shape.attention.latent = 512;
    EXPECT_TRUE(shape.validate());
    shape.attention.*size = UINT32_MAX;
    EXPECT_FALSE(shape.validate());
  }
  for (uint32_t ModelShape::*size : {&ModelShape::dense_ffn, &ModelShape::shared_ffn}) {
    shape = qwen35_122b();
    shape.*size = UINT32_MAX;
    EXPECT_FALSE(shape.validate());
  }
  shape = qwen35_122b();
  shape.dense_layers = 48;
  EXPECT_FALSE(shape.validate());
}

TEST(PlanBits, NamesTwoBitExpertsBesideAFourBitRest) {
  const BitWidths bits = named_bits(2).value();
  EXPECT_EQ(bits.expert, 2.5);
  EXPECT_EQ(bits.mixer, 4.5);
  EXPECT_EQ(bits.kv, 16);
  EXPECT_EQ(named_bits(16).value().head, 16);
}

TEST(PlanBits, AreANameAndWhatDiffersFromIt) {
  const BitWidths bits = parse_bits("3,head=8.5,kv=8").value();
  EXPECT_EQ(bits.expert, 3.5);
  EXPECT_EQ(bits.head, 8.5);
  EXPECT_EQ(bits.embedding, 4.5);
  EXPECT_EQ(bits.kv, 8);
}

TEST(PlanBits, RefuseWhatIsNoWidthAndSayWhichThereAre) {
  for (const char* text : {"", "1", "9", "17", "2,3", "x", "experts", "experts=0", "experts=33", "experts=-1",
                           "experts=nan", "scales=5", "99999999999999999999"}) {
    EXPECT_FALSE(parse_bits(text)) << text;
  }
  const Result<BitWidths> unknown = parse_bits("2,tail=4");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind, ErrorKind::usage);
  EXPECT_NE(unknown.error().message.find("embedding"), std::string::npos);
}

}  // namespace
}  // namespace spillway::plan
