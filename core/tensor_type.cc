#include "core/tensor_type.h"

#include <algorithm>
#include <array>

#include "core/expects.h"

namespace spillway {
namespace {

constexpr std::array<TensorTypeInfo, 35> kTypes = {{
    {TensorType::f32, "F32", 1, 4},
    {TensorType::f16, "F16", 1, 2},
    {TensorType::q4_0, "Q4_0", 32, 18},
    {TensorType::q4_1, "Q4_1", 32, 20},
    {TensorType::q5_0, "Q5_0", 32, 22},
    {TensorType::q5_1, "Q5_1", 32, 24},
    {TensorType::q8_0, "Q8_0", 32, 34},
    {TensorType::q8_1, "Q8_1", 32, 36},
    {TensorType::q2_k, "Q2_K", 256, 84},
    {TensorType::q3_k, "Q3_K", 256, 110},
    {TensorType::q4_k, "Q4_K", 256, 144},
    {TensorType::q5_k, "Q5_K", 256, 176},
    {TensorType::q6_k, "Q6_K", 256, 210},
    {TensorType::q8_k, "Q8_K", 256, 292},
    {TensorType::iq2_xxs, "IQ2_XXS", 256, 66},
    {TensorType::iq2_xs, "IQ2_XS", 256, 74},
    {TensorType::iq3_xxs, "IQ3_XXS", 256, 98},
    {TensorType::iq1_s, "IQ1_S", 256, 50},
    {TensorType::iq4_nl, "IQ4_NL", 32, 18},
    {TensorType::iq3_s, "IQ3_S", 256, 110},
    {TensorType::iq2_s, "IQ2_S", 256, 82},
    {TensorType::iq4_xs, "IQ4_XS", 256, 136},
    {TensorType::i8, "I8", 1, 1},
    {TensorType::i16, "I16", 1, 2},
    {TensorType::i32, "I32", 1, 4},
    {TensorType::i64, "I64", 1, 8},
    {TensorType::f64, "F64", 1, 8},
    {TensorType::iq1_m, "IQ1_M", 256, 56},
    {TensorType::bf16, "BF16", 1, 2},
    {TensorType::tq1_0, "TQ1_0", 256, 54},
    {TensorType::tq2_0, "TQ2_0", 256, 66},
    {TensorType::mxfp4, "MXFP4", 32, 17},
    {TensorType::nvfp4, "NVFP4", 64, 36},
    {TensorType::q1_0, "Q1_0", 128, 18},
    {TensorType::q2_0, "Q2_0", 64, 18},
}};

}  // namespace

std::span<const TensorTypeInfo> tensor_types() {
  return kTypes;
}

const TensorTypeInfo* find_tensor_type(uint32_t number) {
  const auto entry = std::find_if(kTypes.begin(), kTypes.end(), [number](const TensorTypeInfo& info) {
    return static_cast<uint32_t>(info.type) == number;
  });
  return entry == kTypes.end() ? nullptr : &*entry;
}

const TensorTypeInfo& tensor_type_info(TensorType type) {
  const TensorTypeInfo* info = find_tensor_type(static_cast<uint32_t>(type));
  Expects(info != nullptr);
  return *info;
}

bool has_fewer_bits(TensorType one, TensorType other) {
  const TensorTypeInfo& a = tensor_type_info(one);
  const TensorTypeInfo& b = tensor_type_info(other);
  return uint64_t(a.block_bytes) * b.block_elements < uint64_t(b.block_bytes) * a.block_elements;
}

Result<uint64_t> row_bytes(TensorType type, uint64_t elements) {
  const TensorTypeInfo& info = tensor_type_info(type);
  if (elements == 0 || elements % info.block_elements != 0) {
    return failed("rows of {} values are not a whole number of {} blocks of {} values", elements, info.name,
                  info.block_elements);
  }
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(elements / info.block_elements, uint64_t(info.block_bytes), &bytes)) {
    return failed("rows of {} values are too long: their size in bytes overflows", elements);
  }
  return bytes;
}

}  // namespace spillway
