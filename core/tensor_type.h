#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/result.h"

namespace spillway {

// The storage formats of tensor values, numbered as in GGUF files. GGUF withdrew the missing numbers.
enum class TensorType : uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q8_1 = 9,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  q8_k = 15,
  iq2_xxs = 16,
  iq2_xs = 17,
  iq3_xxs = 18,
  iq1_s = 19,
  iq4_nl = 20,
  iq3_s = 21,
  iq2_s = 22,
  iq4_xs = 23,
  i8 = 24,
  i16 = 25,
  i32 = 26,
  i64 = 27,
  f64 = 28,
  iq1_m = 29,
  bf16 = 30,
  tq1_0 = 34,
  tq2_0 = 35,
  mxfp4 = 39,
  nvfp4 = 40,
  q1_0 = 41,
  q2_0 = 42,
};

// The layout of a type. A row is a whole number of blocks, and rows share no block.
struct TensorTypeInfo {
  TensorType type{};
  std::string_view name;  // as GGUF tools write it: `Q4_K`
  uint32_t block_elements = 0;
  uint32_t block_bytes = 0;
};

// Returns all types, ordered by number.
std::span<const TensorTypeInfo> tensor_types();

// Returns nullptr if no type has that number.
const TensorTypeInfo* find_tensor_type(uint32_t number);
// Returns the layout of `type`, which find_tensor_type() must know.
const TensorTypeInfo& tensor_type_info(TensorType type);

// Returns true if a value takes fewer bits in `one` than in `other`, its share of the scales included.
bool has_fewer_bits(TensorType one, TensorType other);

// Returns the bytes of a row of `elements` values. Fails if the row is not a whole number of blocks.
Result<uint64_t> row_bytes(TensorType type, uint64_t elements);

}  // namespace spillway
