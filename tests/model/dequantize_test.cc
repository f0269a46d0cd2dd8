#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "core/rng.h"
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

std::string lower(std::string_view name) {
  std::string letters(name);
  for (char& letter : letters) {
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  return letters;
}

void expect_bits(TensorType type, const std::string& blocks, const std::string& expected) {
  const TensorTypeInfo& info = tensor_type_info(type);
  ASSERT_EQ(expected.size(), 4096 * sizeof(float));
  ASSERT_EQ(blocks.size(), 4096 / info.block_elements * info.block_bytes);
  std::vector<float> values(4096);
  dequantize(type, reinterpret_cast<const std::byte*>(blocks.data()), values);
  for (size_t i = 0; i < values.size(); ++i) {
    float reference = 0;
    std::memcpy(&reference, expected.data() + i * sizeof(float), sizeof reference);
    ASSERT_EQ(std::bit_cast<uint32_t>(values[i]), std::bit_cast<uint32_t>(reference))
        << "value " << i << ": " << values[i] << " instead of " << reference;
  }
}

class DequantizeFixture : public testing::TestWithParam<TensorType> {};

// ggml dequantized the same blocks.
TEST_P(DequantizeFixture, EqualsTheReferenceBitForBit) {
  const std::string name = lower(tensor_type_info(GetParam()).name);
  expect_bits(GetParam(), test::unpacked("blocks/" + name + ".blocks"),
              test::unpacked("blocks/" + name + ".values"));
}

class DequantizeLargerFixture : public testing::TestWithParam<TensorType> {};

TEST_P(DequantizeLargerFixture, EqualsTheReferenceBitForBit) {
  const std::string beside =
      SPILLWAY_SHARED_DIR "/oracle/dequant/" + lower(tensor_type_info(GetParam()).name);
  if (!std::filesystem::exists(beside + ".blocks")) {
    GTEST_SKIP() << beside << ".blocks is not there";
  }
  expect_bits(GetParam(), test::read_file(beside + ".blocks"), test::read_file(beside + ".f32"));
}

INSTANTIATE_TEST_SUITE_P(Types, DequantizeLargerFixture,
                         testing::Values(TensorType::q4_1, TensorType::q5_0, TensorType::q5_1,
                                         TensorType::iq4_nl, TensorType::iq4_xs, TensorType::iq3_xxs,
                                         TensorType::iq3_s, TensorType::iq2_s, TensorType::iq1_s,
                                         TensorType::tq2_0, TensorType::nvfp4, TensorType::q1_0),
                         [](const testing::TestParamInfo<TensorType>& tested) {
                           return std::string(tensor_type_info(tested.param).name);
                         });

INSTANTIATE_TEST_SUITE_P(Types, DequantizeFixture,
                         testing::Values(TensorType::q8_0, TensorType::q4_0, TensorType::q4_k,
                                         TensorType::q5_k, TensorType::q6_k, TensorType::q3_k,
                                         TensorType::q2_k, TensorType::iq2_xxs, TensorType::iq2_xs,
                                         TensorType::mxfp4),
                         [](const testing::TestParamInfo<TensorType>& tested) {
                           return std::string(tensor_type_info(tested.param).name);
                         });

// IQ1_M shares the grid of IQ1_S, and one block of each can hold the same values.
TEST(Dequantize, ReadsIq1MAsIq1SWithScalesOfSixteenAndShiftsOfEight) {
  Rng random(7);
  std::vector<std::byte> s(50);
  std::vector<std::byte> m(56);
  const uint16_t half = 0x3555;  // about a third
  std::memcpy(s.data(), &half, sizeof half);
  uint16_t scales[4] = {0x5000, 0x5000, 0x5000, 0x3000};  // the half, lowest digit first
  for (size_t g = 0; g < 8; ++g) {
    const auto scale = uint16_t(random.below(8));
    const bool minus = random.below(2) == 1;
    uint16_t high = uint16_t(scale << 12 | (minus ? 0x8000 : 0));
    for (size_t i = 0; i < 4; ++i) {
      s[2 + 4 * g + i] = m[4 * g + i] = std::byte(random.below(256));
      const auto upper = uint16_t(random.below(8));
      high = uint16_t(high | upper << (3 * i));
      m[32 + 2 * g + i / 2] |= std::byte(uint32_t(upper | (minus ? 8U : 0U)) << (4 * (i % 2)));
    }
    std::memcpy(s.data() + 34 + 2 * g, &high, sizeof high);
    for (size_t sixteenth = 2 * g; sixteenth < 2 * g + 2; ++sixteenth) {
      scales[sixteenth / 4] = uint16_t(scales[sixteenth / 4] | scale << (3 * (sixteenth % 4)));
    }
  }
  std::memcpy(m.data() + 48, scales, sizeof scales);
  EXPECT_EQ(dequantized(TensorType::iq1_m, m, 256), dequantized(TensorType::iq1_s, s, 256));
}

TEST(Dequantize, ReadsTernaryDigitsOfTq1_0) {
  // A byte holds five digits as the fraction 0.abcde to the base of three, times 256 and rounded up.
  const auto byte_of = [](std::initializer_list<int> digits) {
    uint32_t value = 0;
    for (const int digit : digits) {
      value = value * 3 + uint32_t(digit);
    }
    return std::byte((value * 256 + 242) / 243);
  };
  std::vector<std::byte> block(54, byte_of({1, 1, 1, 1, 1}));  // zeros
  block[0] = byte_of({2, 0, 1, 2, 0});
  block[32] = byte_of({0, 2, 2, 0, 1});
  block[48] = byte_of({2, 0, 0, 2, 1});
  block[52] = std::byte{0x00};
  block[53] = std::byte{0x40};  // 2
  const std::vector<float> values = dequantized(TensorType::tq1_0, block, 256);
  const std::vector<std::pair<size_t, float>> expected = {
      {0, 2},    {32, -2}, {64, 0},  {96, 2},   {128, -2}, {160, -2}, {176, 2}, {192, 2},
      {208, -2}, {224, 0}, {240, 2}, {244, -2}, {248, -2}, {252, 2},  {1, 0},   {255, 0}};
  for (const auto& [at, value] : expected) {
    EXPECT_EQ(values[at], value) << at;
  }
}

TEST(Dequantize, ReadsTwoBitsOfQ2_0AsMinusOneToTwo) {
  std::vector<std::byte> block(18, std::byte{0x55});  // zeros
  block[0] = std::byte{0};
  block[1] = std::byte{0x3c};  // 1
  block[2] = std::byte{0xe4};  // 0, 1, 2, 3
  const std::vector<float> values = dequantized(TensorType::q2_0, block, 64);
  EXPECT_EQ(std::vector<float>(values.begin(), values.begin() + 6), (std::vector<float>{-1, 0, 1, 2, 0, 0}));
}

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
