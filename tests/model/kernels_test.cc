#include "model/kernels/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "model/kernels/blocks.h"
#include "tests/model/kernel_memory.h"

namespace spillway {
namespace {

std::vector<TensorType> types_with_kernels() {
  std::vector<TensorType> types;
  for (const TensorTypeInfo& info : tensor_types()) {
    if (can_multiply(info.type)) {
      types.push_back(info.type);
    }
  }
  return types;
}

using test::aligned_block;
using test::AlignedBlock;
using test::bits_of;
using Random = std::mt19937;

struct QuantizedRows {
  size_t stride = 0;
  AlignedBlock data;
};

uint16_t half_of(float value) {
  uint16_t half = 0;
  kernels(Isa::portable).to_f16(&value, &half, 1);
  return half;
}

void put_half(std::byte* at, float value) {
  const uint16_t half = half_of(value);
  std::memcpy(at, &half, sizeof half);
}

// Returns the offsets of a block's half-precision scales.
std::vector<size_t> scale_offsets(TensorType type) {
  switch (type) {
    case TensorType::q4_k:
    case TensorType::q5_k:
      return {0, 2};
    case TensorType::q2_k:
      return {80, 82};
    case TensorType::q3_k:
      return {108};
    case TensorType::q6_k:
      return {208};
    case TensorType::q4_1:
    case TensorType::q5_1:
      return {0, 2};
    case TensorType::tq1_0:
      return {52};
    case TensorType::tq2_0:
      return {64};
    default:
      return {0};
  }
}

// Fills a block with random fields. Scales are in the range that real files have,
// unless they are to be extreme.
void fill_block(TensorType type, std::byte* block, Random& random, bool extreme) {
  const TensorTypeInfo& info = tensor_type_info(type);
  for (size_t i = 0; i < info.block_bytes; ++i) {
    block[i] = static_cast<std::byte>(random());
  }
  std::normal_distribution<float> normal;
  const float scales[] = {65504.0F, -65504.0F, 0x1p-24F, 0.0F, -1.0F};
  switch (type) {
    case TensorType::f32: {
      const float value = normal(random);
      std::memcpy(block, &value, sizeof value);
      return;
    }
    case TensorType::f16:
      return put_half(block, normal(random));
    case TensorType::bf16: {
      const uint32_t bits = std::bit_cast<uint32_t>(normal(random)) >> 16;
      std::memcpy(block, &bits, 2);
      return;
    }
    case TensorType::mxfp4:
      block[0] = static_cast<std::byte>(extreme ? random() % 160 : 118 + random() % 8);
      return;
    case TensorType::nvfp4:
      for (int i = 0; i < 4; ++i) {
        block[i] = static_cast<std::byte>(extreme ? random() % 128 : 40 + random() % 8);
      }
      return;
    case TensorType::iq1_m: {
      // The scale is a half whose digits lie in the upper four bits of four words.
      const uint16_t half = half_of(extreme ? scales[random() % 5] : 0.01F * normal(random));
      for (int i = 0; i < 4; ++i) {
        std::byte& high = block[48 + 2 * i + 1];
        high = (high & std::byte{15}) | static_cast<std::byte>(((half >> (4 * i)) & 15) << 4);
      }
      return;
    }
    default:
      for (const size_t offset : scale_offsets(type)) {
        put_half(block + offset, extreme ? scales[random() % 5] : 0.01F * normal(random));
      }
  }
}

struct KernelCase {
  TensorType type{};
  uint32_t rows = 0;
  uint32_t columns = 0;
  uint32_t tokens = 1;
  bool extreme = false;
};

struct Problem {
  std::vector<std::byte> weights;  // as long as the matrix, so that sanitizers detect a read beyond it
  Matrix matrix;
  std::vector<float> x;
  uint32_t tokens = 0;

  explicit Problem(const KernelCase& made, uint32_t seed = 1) : tokens(made.tokens) {
    Random random(seed);
    const TensorTypeInfo& info = tensor_type_info(made.type);
    const uint64_t row = *row_bytes(made.type, made.columns);
    weights.resize(row * made.rows);
    for (size_t at = 0; at < weights.size(); at += info.block_bytes) {
      fill_block(made.type, weights.data() + at, random, made.extreme);
    }
    matrix = {made.type, made.rows, made.columns, row, weights.data()};
    std::normal_distribution<float> normal;
    for (size_t i = 0; i < size_t(made.columns) * made.tokens; ++i) {
      x.push_back(normal(random) * (i % 97 == 0 ? 20.0F : 1.0F));
    }
  }

  QuantizedRows activations(const Kernels& k) const {
    const ActivationType type = activation_type(matrix.type);
    QuantizedRows made;
    made.stride = activation_bytes(type, matrix.columns);
    made.data = aligned_block(made.stride * tokens);
    for (uint32_t t = 0; t < tokens; ++t) {
      k.quantize(type, {x.data() + size_t(t) * matrix.columns, matrix.columns},
                 made.data.get() + t * made.stride);
    }
    return made;
  }

  std::vector<float> product(const Kernels& k) const {
    const QuantizedRows a = activations(k);
    std::vector<float> out(size_t(matrix.rows) * tokens, NAN);
    k.multiply(matrix, 0, matrix.rows, a.data.get(), tokens, out.data(), matrix.rows);
    return out;
  }
};

// Returns the values of an activation row after rounding, in f64.
std::vector<double> values_of(ActivationType type, const std::byte* row, size_t columns) {
  std::vector<double> values(columns);
  for (size_t i = 0; i < columns; ++i) {
    if (type == ActivationType::q8_k) {
      const ActivationQ8K& block = reinterpret_cast<const ActivationQ8K*>(row)[i / 256];
      values[i] = double(block.d) * block.q[i % 256];
    } else if (type == ActivationType::q8_0) {
      const ActivationQ8& block = reinterpret_cast<const ActivationQ8*>(row)[i / 256];
      values[i] = double(block.d[i % 256 / 32]) * block.q[i % 256 / 32][i % 32];
    } else {
      values[i] = reinterpret_cast<const float*>(row)[i];
    }
  }
  return values;
}

class KernelsOf : public testing::TestWithParam<std::tuple<Isa, TensorType>> {
 protected:
  void SetUp() override {
    const std::span<const Isa> isas = available_isas();
    if (std::find(isas.begin(), isas.end(), isa()) == isas.end()) {
      GTEST_SKIP() << "this processor has no " << name_of(isa());
    }
  }
  static Isa isa() { return std::get<0>(GetParam()); }
  static TensorType type() { return std::get<1>(GetParam()); }
  // Widths of several blocks; for a type with small blocks also an odd number of them.
  static std::vector<uint32_t> widths() {
    const uint32_t block = tensor_type_info(type()).block_elements;
    if (block == 1) {
      return {1, 7, 8, 31, 33, 300, 2048};
    }
    return block == 256 ? std::vector<uint32_t>{256, 768, 2048}
                        : std::vector<uint32_t>{block, 7 * block, 8 * block, 9 * block, 17 * block, 2048};
  }
};

// The bound: each product and each sum of f32 is rounded, at most once for each block and lane. The
// error is relative to the sum of the magnitudes that are added (with a minimum these are larger
// than the values themselves).
TEST_P(KernelsOf, EqualsTheDotProductOfDequantizedRowsInDoublePrecision) {
  for (const uint32_t columns : widths()) {
    for (const bool extreme : {false, true}) {
      const Problem problem({type(), 5, columns, 3, extreme});
      const Kernels& k = kernels(isa());
      const QuantizedRows a = problem.activations(k);
      const std::vector<float> out = problem.product(k);
      std::vector<float> row(columns);
      for (uint32_t r = 0; r < 5; ++r) {
        dequantize(type(), problem.weights.data() + r * problem.matrix.row_bytes, row);
        for (uint32_t t = 0; t < 3; ++t) {
          const std::vector<double> x =
              values_of(activation_type(type()), a.data.get() + t * a.stride, columns);
          double exact = 0;
          double magnitude = 0;
          for (uint32_t i = 0; i < columns; ++i) {
            exact += double(row[i]) * x[i];
            magnitude += std::abs(double(row[i]) * x[i]);
          }
          EXPECT_NEAR(out[t * 5 + r], exact, 1e-6 * magnitude + 1e-30)
              << columns << " columns, row " << r << ", token " << t << (extreme ? ", extreme" : "");
        }
      }
    }
  }
}

TEST_P(KernelsOf, AgreesWithThePortableOneBitForBit) {
  for (const uint32_t columns : widths()) {
    for (uint32_t seed = 1; seed <= 4; ++seed) {
      const Problem problem({type(), 7, columns, 2, seed % 2 == 0}, seed);
      ASSERT_EQ(bits_of(problem.product(kernels(isa()))), bits_of(problem.product(kernels(Isa::portable))))
          << columns << " columns, seed " << seed;
    }
  }
}

TEST_P(KernelsOf, GivesTheSameBitsHoweverTheRowsAreDivided) {
  const Problem problem({type(), 13, 768, 5});
  const Kernels& k = kernels(isa());
  const QuantizedRows a = problem.activations(k);
  std::vector<float> divided(13 * 5, NAN);
  for (const auto& [first, last] : {std::pair<uint32_t, uint32_t>{5, 13}, {0, 1}, {1, 5}, {3, 3}}) {
    k.multiply(problem.matrix, first, last, a.data.get(), 5, divided.data(), 13);
  }
  EXPECT_EQ(bits_of(divided), bits_of(problem.product(k)));
}

TEST_P(KernelsOf, GivesTheSameBitsHoweverManyTokensAreMultipliedAtOnce) {
  const uint32_t most = 11;
  const Problem problem({type(), 6, 768, most});
  const Kernels& k = kernels(isa());
  const QuantizedRows a = problem.activations(k);
  const std::vector<float> together = problem.product(k);
  for (uint32_t tokens = 1; tokens < most; ++tokens) {
    std::vector<float> apart(6 * most, NAN);
    for (uint32_t t = 0; t < most; t += tokens) {
      k.multiply(problem.matrix, 0, 6, a.data.get() + t * a.stride, std::min(tokens, most - t),
                 apart.data() + 6 * t, 6);
    }
    ASSERT_EQ(bits_of(apart), bits_of(together)) << tokens << " at once";
  }
}

// Wide matrices are multiplied in tiles when there are many tokens.
TEST_P(KernelsOf, WalksEveryTileOfALargeMatrix) {
  const Problem problem({type(), 600, 2048, 6});
  const Kernels& k = kernels(isa());
  const QuantizedRows a = problem.activations(k);
  const std::vector<float> tiled = problem.product(k);
  std::vector<float> single(600);
  for (uint32_t t = 0; t < 6; ++t) {
    k.multiply(problem.matrix, 0, 600, a.data.get() + t * a.stride, 1, single.data(), 600);
    ASSERT_EQ(bits_of(single), bits_of({tiled.begin() + t * 600, tiled.begin() + (t + 1) * 600})) << t;
  }
}

TEST_P(KernelsOf, LeavesTheOutputBetweenTokensAlone) {
  const Problem problem({type(), 3, 256, 2});
  const Kernels& k = kernels(isa());
  const QuantizedRows a = problem.activations(k);
  std::vector<float> out(20, 7.0F);
  k.multiply(problem.matrix, 1, 3, a.data.get(), 2, out.data(), 10);
  for (const size_t untouched : {0U, 3U, 9U, 10U, 13U, 19U}) {
    EXPECT_EQ(out[untouched], 7.0F) << untouched;
  }
  for (const size_t written : {1U, 2U, 11U, 12U}) {
    EXPECT_NE(out[written], 7.0F) << written;
  }
}

// Zeros, and numbers so small that their scale has no reciprocal.
TEST_P(KernelsOf, MultipliesNothingWithNothing) {
  for (const float value : {0.0F, 1e-45F, -1e-42F}) {
    Problem problem({type(), 2, 256, 1});
    problem.x.assign(256, value);
    for (const float y : problem.product(kernels(isa()))) {
      EXPECT_NEAR(y, 0, 1e-30);
    }
  }
}

// A comparison would skip such a value when the activations are quantized, and the product would look sound.
TEST_P(KernelsOf, HandsOnThatAnActivationIsNoNumber) {
  for (const float value : {NAN, INFINITY, -INFINITY}) {
    for (const size_t at : {0U, 100U, 255U}) {
      Problem problem({type(), 3, 256, 1});
      problem.x[at] = value;
      for (const float y : problem.product(kernels(isa()))) {
        EXPECT_FALSE(std::isfinite(y)) << value << " at " << at;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EachIsaAndType, KernelsOf,
                         testing::Combine(testing::Values(Isa::portable, Isa::avx2, Isa::avx512),
                                          testing::ValuesIn(types_with_kernels())),
                         [](const testing::TestParamInfo<std::tuple<Isa, TensorType>>& tested) {
                           return std::string(name_of(std::get<0>(tested.param))) + "_" +
                                  std::string(tensor_type_info(std::get<1>(tested.param)).name);
                         });

}  // namespace
}  // namespace spillway
