#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "model/kernels/blocks.h"
#include "model/kernels/kernels.h"
#include "tests/model/kernel_memory.h"

// All kernels but the matrix products, in each instruction set.
namespace spillway {
namespace {

using test::aligned_block;
using test::AlignedBlock;
using test::bits_of;
using Random = std::mt19937;

class Elementwise : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    const std::span<const Isa> isas = available_isas();
    if (std::find(isas.begin(), isas.end(), GetParam()) == isas.end()) {
      GTEST_SKIP() << "this processor has no " << name_of(GetParam());
    }
  }
  static const Kernels& k() { return kernels(GetParam()); }
  static std::vector<float> some(size_t n, uint32_t seed, float spread = 1) {
    Random random(seed);
    std::normal_distribution<float> normal(0, spread);
    std::vector<float> values(n);
    for (float& value : values) {
      value = normal(random);
    }
    return values;
  }
};

constexpr size_t kSizes[] = {1, 7, 8, 31, 32, 33, 128, 300};

TEST_P(Elementwise, DotsInFloatAndInHalfPrecision) {
  for (const size_t n : kSizes) {
    const std::vector<float> a = some(n, 1);
    const std::vector<float> b = some(n, 2);
    std::vector<uint16_t> half(n);
    k().to_f16(a.data(), half.data(), n);
    std::vector<float> rounded(n);
    dequantize(TensorType::f16, reinterpret_cast<const std::byte*>(half.data()), rounded);
    double exact = 0;
    double exact_half = 0;
    double magnitude = 0;
    for (size_t i = 0; i < n; ++i) {
      EXPECT_NEAR(rounded[i], a[i], std::abs(a[i]) * 0x1p-11 + 0x1p-25);
      exact += double(a[i]) * b[i];
      exact_half += double(rounded[i]) * b[i];
      magnitude += std::abs(double(a[i]) * b[i]);
    }
    EXPECT_NEAR(k().dot(a.data(), b.data(), n), exact, 1e-6 * magnitude) << n;
    EXPECT_NEAR(k().dot_f16(half.data(), b.data(), n), exact_half, 1e-6 * magnitude) << n;
  }
}

TEST_P(Elementwise, AddsAScaledRowAndNothingBehindIt) {
  for (const size_t n : kSizes) {
    const std::vector<float> x = some(n, 1);
    std::vector<uint16_t> half(n);
    k().to_f16(x.data(), half.data(), n);
    std::vector<float> rounded(n);
    dequantize(TensorType::f16, reinterpret_cast<const std::byte*>(half.data()), rounded);
    const std::vector<float> before = some(n + 8, 2);
    std::vector<float> y = before;
    std::vector<float> y_half = before;
    k().add_scaled(0.3F, x.data(), y.data(), n);
    k().add_scaled_f16(0.3F, half.data(), y_half.data(), n);
    for (size_t i = 0; i < n + 8; ++i) {
      const float product = i < n ? 0.3F * x[i] : 0;
      const float product_half = i < n ? 0.3F * rounded[i] : 0;
      EXPECT_EQ(y[i], before[i] + product) << n << ' ' << i;
      EXPECT_EQ(y_half[i], before[i] + product_half) << n << ' ' << i;
    }
  }
}

TEST_P(Elementwise, RoundsToHalfPrecisionTiesToEven) {
  const std::vector<float> x = {1.0F,     1.0F + 0x1p-11F, 1.0F + 0x3p-11F, 65519.0F, 65520.0F, -1e9F,
                                0x1p-25F, 0x1.8p-25F,      -0x3p-26F,       0x1p-14F, -0.0F};
  const std::vector<uint16_t> expected = {0x3c00, 0x3c00, 0x3c02, 0x7bff, 0x7c00, 0xfc00,
                                          0x0000, 0x0001, 0x8001, 0x0400, 0x8000};
  std::vector<uint16_t> out(x.size());
  k().to_f16(x.data(), out.data(), x.size());
  EXPECT_EQ(out, expected);
}

TEST_P(Elementwise, NormalisesByTheRootMeanSquare) {
  for (const size_t n : kSizes) {
    const std::vector<float> x = some(n, 1, 30);
    const std::vector<float> weight = some(n, 2);
    double squares = 0;
    for (const float value : x) {
      squares += double(value) * value;
    }
    const double scale = 1 / std::sqrt(squares / double(n) + 1e-6);
    std::vector<float> out(n + 1, 7.0F);
    k().rms_norm(x.data(), weight.data(), 1e-6F, out.data(), n);
    for (size_t i = 0; i < n; ++i) {
      const double exact = x[i] * scale * weight[i];
      EXPECT_NEAR(out[i], exact, 4e-7 * std::abs(exact));
    }
    EXPECT_EQ(out[n], 7.0F);
  }
}

TEST_P(Elementwise, GatesWithSiluFromMinusToPlusAHundred) {
  std::vector<float> gate;
  for (float z = -100; z <= 100; z += 0.0625F) {
    gate.push_back(z);
  }
  const std::vector<float> up = some(gate.size(), 3);
  std::vector<float> out(gate.size());
  k().silu_multiply(gate.data(), up.data(), out.data(), gate.size());
  for (size_t i = 0; i < gate.size(); ++i) {
    const double exact = double(gate[i]) / (1 + std::exp(-double(gate[i]))) * up[i];
    EXPECT_NEAR(out[i], exact, 5e-7 * std::abs(exact) + 1e-36) << gate[i];
  }
}

TEST_P(Elementwise, SoftmaxSumsToOneAndGivesNothingToMinusInfinity) {
  for (const size_t n : kSizes) {
    std::vector<float> x = some(n, 5, 10);
    if (n > 3) {
      x[2] = -INFINITY;
    }
    const float top = *std::max_element(x.begin(), x.end());
    double total = 0;
    for (const float value : x) {
      total += std::exp(double(value) - top);
    }
    std::vector<float> y = x;
    k().softmax(y.data(), n);
    double sum = 0;
    for (size_t i = 0; i < n; ++i) {
      sum += y[i];
      if (x[i] == -INFINITY) {
        EXPECT_EQ(y[i], 0.0F);
        continue;
      }
      const double exact = std::exp(double(x[i]) - top) / total;
      // x - top rounds in f32 before the exponential, which turns the rounding into a relative error.
      EXPECT_NEAR(y[i], exact, (5e-7 + 6e-8 * std::abs(double(x[i]) - top)) * exact + 1e-37)
          << n << ' ' << x[i];
    }
    EXPECT_NEAR(sum, 1, 1e-6);
  }
}

TEST_P(Elementwise, GivesTheSameBitsAsThePortableOne) {
  const Kernels& portable = kernels(Isa::portable);
  for (const size_t n : kSizes) {
    const std::vector<float> a = some(n, 1, 5);
    const std::vector<float> b = some(n, 2, 5);
    std::vector<float> out(n);
    std::vector<float> expected(n);
    k().silu_multiply(a.data(), b.data(), out.data(), n);
    portable.silu_multiply(a.data(), b.data(), expected.data(), n);
    EXPECT_EQ(bits_of(out), bits_of(expected));
    k().rms_norm(a.data(), b.data(), 1e-6F, out.data(), n);
    portable.rms_norm(a.data(), b.data(), 1e-6F, expected.data(), n);
    EXPECT_EQ(bits_of(out), bits_of(expected));
    out = expected = a;
    k().softmax(out.data(), n);
    portable.softmax(expected.data(), n);
    EXPECT_EQ(bits_of(out), bits_of(expected));
    EXPECT_EQ(bits_of({k().dot(a.data(), b.data(), n)}), bits_of({portable.dot(a.data(), b.data(), n)}));
  }
}

TEST_P(Elementwise, QuantizesWithTheLargestMagnitudeAtTheEndOfTheRange) {
  std::vector<float> x = some(512, 9);
  x[100] = -7.5F;
  x[300] = 9.25F;
  const size_t bytes = activation_bytes(ActivationType::q8_k, x.size());
  const AlignedBlock out = aligned_block(bytes);
  k().quantize(ActivationType::q8_k, x, out.get());
  const ActivationQ8K* blocks = reinterpret_cast<const ActivationQ8K*>(out.get());
  // The scale has the sign that takes the furthest value to -127.
  EXPECT_EQ(blocks[0].q[100], -127);
  EXPECT_EQ(blocks[1].q[300 - 256], -127);
  for (size_t b = 0; b < 2; ++b) {
    int sums[16] = {};
    for (size_t i = 0; i < 256; ++i) {
      EXPECT_NEAR(double(blocks[b].d) * blocks[b].q[i], x[256 * b + i], 0.5001 * std::abs(blocks[b].d));
      sums[i / 16] += blocks[b].q[i];
    }
    for (size_t s = 0; s < 16; ++s) {
      EXPECT_EQ(blocks[b].sums16[s], sums[s]);
      EXPECT_EQ(blocks[b].sums32[s / 2], sums[s / 2 * 2] + sums[s / 2 * 2 + 1]);
    }
  }
}

// A scale of 127 / 2 makes ties, which go to the even neighbour.
TEST_P(Elementwise, RoundsTiesOfActivationsToEven) {
  std::vector<float> x(32, 0.0F);
  x[0] = 127.0F;
  x[1] = 0.5F;
  x[2] = 1.5F;
  x[3] = -2.5F;
  x[4] = 126.49F;
  const AlignedBlock out = aligned_block(activation_bytes(ActivationType::q8_0, x.size()));
  k().quantize(ActivationType::q8_0, x, out.get());
  const ActivationQ8& block = *reinterpret_cast<const ActivationQ8*>(out.get());
  EXPECT_EQ(block.d[0], 1.0F);
  EXPECT_EQ((std::vector<int>(block.q[0], block.q[0] + 5)), (std::vector<int>{127, 0, 2, -2, 126}));
}

INSTANTIATE_TEST_SUITE_P(EachIsa, Elementwise, testing::Values(Isa::portable, Isa::avx2, Isa::avx512),
                         [](const testing::TestParamInfo<Isa>& tested) {
                           return std::string(name_of(tested.param));
                         });

TEST(ChooseIsa, TakesTheBestThereIsWhenNothingIsAsked) {
  EXPECT_EQ(choose_isa("").value(), available_isas().front());
  EXPECT_EQ(available_isas().back(), Isa::portable);
}

TEST(ChooseIsa, TakesWhatIsAskedOrSaysWhyNot) {
  EXPECT_EQ(choose_isa("portable").value(), Isa::portable);
  EXPECT_EQ(kernels(Isa::portable).name, "portable");
  for (const Isa isa : {Isa::avx2, Isa::avx512}) {
    const std::span<const Isa> isas = available_isas();
    const Result<Isa> chosen = choose_isa(name_of(isa));
    if (std::find(isas.begin(), isas.end(), isa) != isas.end()) {
      EXPECT_EQ(chosen.value(), isa);
      EXPECT_EQ(kernels(isa).isa, isa);
    } else {
      EXPECT_EQ(chosen.error().kind, ErrorKind::unavailable);
    }
  }
}

TEST(ChooseIsa, NamesTheChoicesWhenTheWordIsWrong) {
  const Result<Isa> chosen = choose_isa("sse9");
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().kind, ErrorKind::usage);
  EXPECT_NE(chosen.error().message.find("portable, avx2 or avx512"), std::string::npos);
}

}  // namespace
}  // namespace spillway
