#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "model/kernels/kernels.h"
#include "tests/support/references.h"

namespace spillway {
namespace {

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) {
    bytes.push_back(static_cast<std::byte>(value));
  }
  return bytes;
}

std::vector<float> dequantized(TensorType type, const std::vector<std::byte>& bytes, size_t n) {
  std::vector<float> values(n);
  dequantize(type, bytes.data(), values);
  return values;
}

class DequantizeFixture : public testing::TestWithParam<TensorType> {};

// ggml dequantized the same blocks.
TEST_P(DequantizeFixture, EqualsTheReferenceBitForBit) {
  const TensorTypeInfo& info = tensor_type_info(GetParam());
  std::string name(info.name);
  for (char& letter : name) {
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  const std::string blocks = test::unpacked("blocks/" + name + ".blocks");
  const std::string expected = test::unpacked("blocks/" + name + ".values");
  ASSERT_EQ(expected.size(), 4096 * sizeof(float));
  ASSERT_EQ(blocks.size(), 4096 / info.block_elements * info.block_bytes);

  std::vector<float> values(4096);
  dequantize(GetParam(), reinterpret_cast<const std::byte*>(blocks.data()), values);
  for (size_t i = 0; i < values.size(); ++i) {
    float reference = 0;
    std::memcpy(&reference, expected.data() + i * sizeof(float), sizeof reference);
    ASSERT_EQ(std::bit_cast<uint32_t>(values[i]), std::bit_cast<uint32_t>(reference))
        << "value " << i << ": " << values[i] << " instead of " << reference;
  }
}

INSTANTIATE_TEST_SUITE_P(Types, DequantizeFixture,
                         testing::Values(TensorType::q8_0, TensorType::q4_0, TensorType::q4_k,
                                         TensorType::q5_k, TensorType::q6_k, TensorType::q3_k,
                                         TensorType::q2_k, TensorType::iq2_xxs, TensorType::iq2_xs,
                                         TensorType::mxfp4),
                         [](const testing::TestParamInfo<TensorType>& tested) {
                           return std::string(tensor_type_info(tested.param).name);
                         });

TEST(Dequantize, ReadsHalfPrecisionWithItsSubnormalsAndInfinities) {
  // 1, -2, the least subnormal, the greatest subnormal, the least normal, 65504, minus infinity, minus zero
  const std::vector<std::byte> bytes = bytes_of(
      {0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0xff, 0x03, 0x00, 0x04, 0xff, 0x7b, 0x00, 0xfc, 0x00, 0x80});
  const std::vector<float> values = dequantized(TensorType::f16, bytes, 8);
  const std::vector<float> expected = {1.0F,     -2.0F,    0x1p-24F,  0x1.ff8p-15F,
                                       0x1p-14F, 65504.0F, -INFINITY, -0.0F};
  EXPECT_EQ(values, expected);
  EXPECT_TRUE(std::signbit(values[7]));
}

TEST(Dequantize, ReadsBfloat16AsTheUpperHalfOfAFloat) {
  const std::vector<float> values = dequantized(TensorType::bf16, bytes_of({0x80, 0x3f, 0x49, 0xc0}), 2);
  EXPECT_EQ(values, (std::vector<float>{1.0F, -3.140625F}));
}

TEST(Dequantize, HandsFloatsThrough) {
  const std::vector<float> values = dequantized(TensorType::f32, bytes_of({0, 0, 0x80, 0x3f, 1, 0, 0, 0}), 2);
  EXPECT_EQ(values, (std::vector<float>{1.0F, 0x1p-149F}));
}

// The two lowest exponents of E8M0 are subnormal after halving.
TEST(Dequantize, KeepsTheLeastScalesOfMxfp4) {
  for (int e = 0; e < 4; ++e) {
    std::vector<std::byte> block(17);
    block[0] = static_cast<std::byte>(e);
    block[1] = std::byte{0x91};  // 1 and -1
    const std::vector<float> values = dequantized(TensorType::mxfp4, block, 32);
    EXPECT_EQ(values[0], std::ldexp(1.0F, e - 128));
    EXPECT_EQ(values[16], -std::ldexp(1.0F, e - 128));
  }
}

TEST(DequantizeDeathTest, RefusesAPartOfABlock) {
  std::vector<std::byte> block(144);
  std::vector<float> values(128);
  EXPECT_DEATH(dequantize(TensorType::q4_k, block.data(), values), "precondition");
}

TEST(DequantizeDeathTest, RefusesATypeThatItDoesNotKnow) {
  std::vector<std::byte> block(292);
  std::vector<float> values(256);
  EXPECT_DEATH(dequantize(TensorType::q8_k, block.data(), values), "precondition");
}

}  // namespace
}  // namespace spillway
