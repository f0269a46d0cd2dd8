#include "model/quantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "core/rng.h"
#include "model/kernels/kernels.h"
#include "model/kernels/pack.h"

namespace spillway {
namespace {

constexpr std::array kQuantizedTypes = {TensorType::f16,  TensorType::q8_0, TensorType::q4_0,
                                        TensorType::q2_k, TensorType::q3_k, TensorType::q4_k,
                                        TensorType::q5_k, TensorType::q6_k};

std::vector<std::byte> packed(TensorType type, const std::vector<float>& values) {
  const TensorTypeInfo& info = tensor_type_info(type);
  std::vector<std::byte> blocks(values.size() / info.block_elements * info.block_bytes);
  quantize(type, values, blocks.data());
  return blocks;
}

std::vector<float> there_and_back(TensorType type, const std::vector<float>& values) {
  std::vector<float> again(values.size());
  dequantize(type, packed(type, values).data(), again);
  return again;
}

// Returns the root of the mean squared error, relative to that of the values.
double relative_error(const std::vector<float>& values, const std::vector<float>& again) {
  double squares = 0;
  double errors = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    squares += double(values[i]) * values[i];
    errors += (double(values[i]) - again[i]) * (double(values[i]) - again[i]);
  }
  return std::sqrt(errors / squares);
}

std::vector<float> normal_values(size_t count, float scale) {
  std::mt19937_64 random(20261121);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(count);
  for (float& value : values) {
    value = normal(random);
  }
  return values;
}

// The obvious way to quantize: the scale that spans the largest value, then rounding. The scales of the runs
// of a K block are quantized in the same way.
struct PlainRounding {
  int run = 32;          // values that share a scale
  float most = 7;        // the largest level
  float most_scale = 0;  // the largest integer scale; 0: scales are stored unquantized
  bool with_min = false;

  std::vector<float> apply(const std::vector<float>& values) const {
    std::vector<float> again(values.size());
    const size_t block = most_scale > 0 ? 256 : size_t(run);
    for (size_t at = 0; at < values.size(); at += block) {
      apply_block(std::span(values).subspan(at, block), std::span(again).subspan(at, block));
    }
    return again;
  }

  void apply_block(std::span<const float> x, std::span<float> out) const {
    std::vector<float> scales;
    std::vector<float> mins;
    for (size_t at = 0; at < x.size(); at += size_t(run)) {
      float low = 0;
      float high = 0;
      for (const float value : x.subspan(at, size_t(run))) {
        low = std::min(low, with_min ? value : -std::fabs(value));
        high = std::max(high, with_min ? value : std::fabs(value));
      }
      mins.push_back(with_min ? -low : 0);
      scales.push_back((with_min ? high - low : high) / most);
    }
    round_scales(scales);
    round_scales(mins);
    for (size_t i = 0; i < x.size(); ++i) {
      const float scale = scales[i / size_t(run)];
      const float min = mins[i / size_t(run)];
      const float q = std::clamp(std::round((x[i] + min) / scale), with_min ? 0 : -most, most);
      out[i] = q * scale - min;
    }
  }

  void round_scales(std::vector<float>& scales) const {
    const float largest = *std::max_element(scales.begin(), scales.end());
    if (most_scale == 0 || largest == 0) {
      return;
    }
    const float d = as_half(largest / most_scale);
    for (float& scale : scales) {
      scale = d * std::round(scale / d);
    }
  }

  static float as_half(float value) { return f16_to_f32(f32_to_f16(value)); }
};

struct Quality {
  TensorType type;
  double bound;  // of the relative error of normally distributed values
  std::optional<PlainRounding> plain;
};

const std::vector<Quality> kQualities = {
    {TensorType::f16, 0.00025, std::nullopt},
    {TensorType::q8_0, 0.0052, PlainRounding{32, 127, 0, false}},
    {TensorType::q6_k, 0.0175, PlainRounding{16, 31, 127, false}},
    {TensorType::q5_k, 0.0355, PlainRounding{32, 31, 63, true}},
    {TensorType::q4_k, 0.072, PlainRounding{32, 15, 63, true}},
    {TensorType::q4_0, 0.083, PlainRounding{32, 7, 0, false}},
    {TensorType::q3_k, 0.147, PlainRounding{16, 3, 31, false}},
    {TensorType::q2_k, 0.27, PlainRounding{16, 3, 15, true}},
};

TEST(Quantize, KeepsTheErrorOfNormalValuesSmall) {
  for (const float scale : {1.0F, 0.02F, 300.0F}) {
    const std::vector<float> values = normal_values(16384, scale);
    for (const Quality& quality : kQualities) {
      SCOPED_TRACE(std::string(tensor_type_info(quality.type).name));
      const double error = relative_error(values, there_and_back(quality.type, values));
      EXPECT_LT(error, quality.bound);
      EXPECT_GT(error, quality.bound / 2) << "better than the bits allow: is the test right?";
    }
  }
}

TEST(Quantize, IsBetterThanPlainRounding) {
  const std::vector<float> values = normal_values(16384, 0.02F);
  for (const Quality& quality : kQualities) {
    if (quality.plain) {
      SCOPED_TRACE(std::string(tensor_type_info(quality.type).name));
      EXPECT_LT(relative_error(values, there_and_back(quality.type, values)),
                relative_error(values, quality.plain->apply(values)));
    }
  }
}

TEST(Quantize, KeepsAnOutlierAndWhatIsBesideIt) {
  std::vector<float> values = normal_values(512, 0.01F);
  values[100] = -3;
  values[300] = 2.5F;
  for (const TensorType type : kQuantizedTypes) {
    SCOPED_TRACE(std::string(tensor_type_info(type).name));
    const std::vector<float> again = there_and_back(type, values);
    EXPECT_NEAR(again[100], -3, 0.2);
    EXPECT_NEAR(again[300], 2.5, 0.2);
    EXPECT_LT(relative_error(values, again), 0.1);
  }
}

// Every field of a block comes back unchanged, whatever its bits.
template <class Block>
void expect_same_bytes(uint64_t seed) {
  Rng random(seed);
  for (int round = 0; round < 50; ++round) {
    std::array<uint8_t, sizeof(Block)> bytes;
    for (uint8_t& byte : bytes) {
      byte = static_cast<uint8_t>(random.next());
    }
    Block block;
    std::memcpy(&block, bytes.data(), sizeof block);
    block.d[1] &= 0xbf;  // a finite number
    if constexpr (Traits<Block>::kHasMin) {
      block.dmin[1] &= 0xbf;
    }
    Unpacked unpacked = {};
    unpack(block, unpacked);
    Block again = {};
    pack(unpacked, again);
    ASSERT_EQ(std::memcmp(&block, &again, sizeof block), 0);
  }
}

TEST(Quantize, PacksWhatUnpackingFinds) {
  expect_same_bytes<BlockQ2K>(2);
  expect_same_bytes<BlockQ3K>(3);
  expect_same_bytes<BlockQ4K>(4);
  expect_same_bytes<BlockQ5K>(5);
  expect_same_bytes<BlockQ6K>(6);
}

// Values that were quantized once lie on levels. A second time, the search finds these
// levels again, or nearly.
TEST(Quantize, LosesLittleTheSecondTime) {
  const std::vector<float> values = normal_values(4096, 0.05F);
  for (const TensorType type : kQuantizedTypes) {
    SCOPED_TRACE(std::string(tensor_type_info(type).name));
    const std::vector<float> once = there_and_back(type, values);
    EXPECT_LT(relative_error(once, there_and_back(type, once)), 0.4 * relative_error(values, once) + 1e-9);
  }
}

TEST(Quantize, KeepsZerosAndASingleValue) {
  for (const TensorType type : kQuantizedTypes) {
    SCOPED_TRACE(std::string(tensor_type_info(type).name));
    for (const float value : {0.0F, -0.0F, 1.0F, -1.0F, 0.02F, -0.37F, 60000.0F, -65504.0F}) {
      for (const float again : there_and_back(type, std::vector<float>(256, value))) {
        ASSERT_NEAR(again, value, 0.004 * std::fabs(value)) << value;
      }
    }
  }
}

TEST(Quantize, MakesNumbersOfWhateverIsTiny) {
  constexpr float kDenormal = std::numeric_limits<float>::denorm_min();
  for (const TensorType type : kQuantizedTypes) {
    SCOPED_TRACE(std::string(tensor_type_info(type).name));
    for (const float value : {kDenormal, -kDenormal, 1e-38F, 1e-30F, -1e-13F, 1e-12F, -1e-9F, 1e-8F, 6e-8F}) {
      std::vector<float> values(256, value);
      values[7] = -value;
      values[200] = 0;
      for (const float again : there_and_back(type, values)) {
        ASSERT_TRUE(std::isfinite(again)) << value;
        ASSERT_LE(std::fabs(again), 2e-7F) << value;
      }
    }
  }
}

// The scales of blocks of small weights are subnormal halves, which lie far apart. The largest error is one
// step between them times the largest level.
TEST(Quantize, KeepsSmallWeightsAsFarAsHalvesGo) {
  constexpr double kStep = 0x1p-24;
  for (const TensorType type : kQuantizedTypes) {
    SCOPED_TRACE(std::string(tensor_type_info(type).name));
    const double usual =
        relative_error(normal_values(4096, 0.05F), there_and_back(type, normal_values(4096, 0.05F)));
    for (const float deviation : {1e-6F, 5e-6F, 2e-5F, 1e-4F, 3e-4F, 1e-3F}) {
      const std::vector<float> values = normal_values(4096, deviation);
      const double lost = relative_error(values, there_and_back(type, values));
      EXPECT_LT(lost, 1.3 * usual + 0.7 * kStep / double(deviation)) << deviation;
    }
  }
}

TEST(Quantize, StaysFiniteAtTheEndOfTheRange) {
  std::vector<float> values = normal_values(512, 1);
  for (float& value : values) {
    value = std::clamp(value * 60000, -kLargestQuantized, kLargestQuantized);
  }
  ASSERT_EQ(first_unfit(values), std::nullopt);
  for (const TensorType type : kQuantizedTypes) {
    EXPECT_LT(relative_error(values, there_and_back(type, values)), 0.3);
  }
}

TEST(Quantize, FindsTheFirstValueThatFitsNowhere) {
  std::vector<float> values(64, 1);
  EXPECT_EQ(first_unfit(values), std::nullopt);
  values[50] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(first_unfit(values), 50U);
  values[40] = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(first_unfit(values), 40U);
  values[3] = 65536;
  EXPECT_EQ(first_unfit(values), 3U);
}

TEST(Quantize, KnowsWhatItMakes) {
  for (const TensorType type : kQuantizedTypes) {
    EXPECT_TRUE(can_quantize(type) && can_multiply(type));
  }
  for (const TensorType type : {TensorType::f32, TensorType::bf16, TensorType::iq2_xs, TensorType::mxfp4}) {
    EXPECT_FALSE(can_quantize(type));
  }
}

}  // namespace
}  // namespace spillway
