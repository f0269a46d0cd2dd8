#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/result.h"
#include "core/tensor_type.h"

// The arithmetic of a decode pass, once per instruction set. The functions neither allocate nor block
// nor start threads; callers divide rows among threads. Every result depends on its row and column
// alone, to the last bit: neither the division of rows nor the number of tokens multiplied at once
// changes it. The instruction set does not change it either: no operations are fused, and portable.cc
// defines the order of every sum.
namespace spillway {

enum class Isa { portable, avx2, avx512 };

// A row-major matrix of `rows` rows of `columns` values, as GGUF stores it. It is a view: the owner of the
// bytes keeps them alive. y = W x is one dot product a row.
struct Matrix {
  TensorType type = TensorType::f32;
  uint32_t rows = 0;
  uint32_t columns = 0;
  uint64_t row_bytes = 0;
  const std::byte* data = nullptr;
};

// The form into which an activation row is converted before it is multiplied with weights of a type.
enum class ActivationType {
  f32,   // for F32
  f16,   // for F16
  bf16,  // for BF16
  q8_0,  // blocks of 32: for the types whose blocks are smaller than 256, of whole numbers or FP4
  q8_k,  // blocks of 256 with the sums of each 16 values: for the types with blocks of 256
};

// Returns true for the types that the kernels below support.
bool can_multiply(TensorType type);
ActivationType activation_type(TensorType weights);
// Returns the bytes of one row, a multiple of 64.
size_t activation_bytes(ActivationType type, size_t columns);

// Expands whole blocks to f32. Bit-exact and the same on every machine.
void dequantize(TensorType type, const std::byte* row, std::span<float> out);

struct Kernels {
  Isa isa{};
  std::string_view name;  // `avx2`

  // Converts the row `x` to the form `type` at `out`, which is 64-byte aligned. A value that is no finite
  // number makes every product with its block NaN.
  void (*quantize)(ActivationType type, std::span<const float> x, std::byte* out);

  // out[t * out_stride + r] = dot(weights row r, activations t) for r in [first_row, last_row) and t in
  // [0, tokens). Activation t begins at activations + t * activation_bytes(…).
  void (*multiply)(const Matrix& weights, uint32_t first_row, uint32_t last_row, const std::byte* activations,
                   uint32_t tokens, float* out, size_t out_stride);

  float (*dot)(const float* a, const float* b, size_t n);
  void (*add_scaled)(float scale, const float* x, float* y, size_t n);  // y += scale * x
  // The same with one side in half precision, for the KV cache.
  float (*dot_f16)(const uint16_t* a, const float* b, size_t n);
  void (*add_scaled_f16)(float scale, const uint16_t* x, float* y, size_t n);
  void (*to_f16)(const float* x, uint16_t* out, size_t n);

  void (*rms_norm)(const float* x, const float* weight, float epsilon, float* out, size_t n);
  void (*silu_multiply)(const float* gate, const float* up, float* out, size_t n);  // silu(gate) * up
  void (*softmax)(float* x, size_t n);                                              // in place
};

// Returns the instruction sets that this processor supports, best first; portable is always the last.
std::span<const Isa> available_isas();
const Kernels& kernels(Isa isa);  // `isa` is one of available_isas()

// Returns the instruction set `asked`, the value of SPILLWAY_ISA (portable, avx2 or avx512), or the best one
// when it is empty. Fails with `unavailable` when this processor lacks the instruction set.
Result<Isa> choose_isa(std::string_view asked);
std::string_view name_of(Isa isa);

}  // namespace spillway
