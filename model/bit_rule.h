#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/gguf/gguf.h"

// The bits that `quantize` gives to each weight of a model, by what the weight is for.
namespace spillway {

// The purpose of a tensor, found from its name and shape.
enum class WeightGroup {
  embeddings,
  output,
  attention,  // or the mixer that an architecture has in its place
  shared_experts,
  dense,         // feed-forward networks of blocks without experts
  other,         // all other matrices
  edge_experts,  // routed experts of the first block and the last
  routed_experts,
  router,
  small,  // norms, biases and parameters of a recurrence: few weights, to which the model is sensitive
};

std::string_view name_of(WeightGroup group);

// Returns the purpose of a tensor. `layers` counts the blocks that decoding runs; the blocks behind them
// count as the last one.
WeightGroup weight_group(const GgufTensor& tensor, uint32_t layers);

// Returns the number of values in the tensor.
uint64_t tensor_values(const GgufTensor& tensor);

// `static:LOW,HIGH`: bits by the place in the architecture alone. Routed experts get the low bits: they are
// most of a model, and each is seldom used. The experts of the first block and the last, which are said to
// matter more, and all other matrices get the high bits. The router and the small tensors are left unchanged.
struct BitRule {
  uint32_t low = 0;
  uint32_t high = 0;

  // Bits are 2, 3, 4, 5, 6, 8 or 16.
  static Result<BitRule> parse(const std::string& text);
};

// The reason why a tensor does not get the type that its bits call for.
enum class Shortfall {
  none,
  no_k_type,       // its rows are not whole blocks of 256 values, so it gets a type with more bits
  no_q4_k,         // for the same reason it becomes Q4_0, which has the bits but not the quality
  no_blocks,       // its rows are not even whole blocks of 32 values, so it stays
  narrow_already,  // it has fewer bits now; more would not bring back the precision that is lost
};

struct WeightChoice {
  const GgufTensor* tensor = nullptr;
  WeightGroup group{};
  TensorType type{};
  uint64_t bytes = 0;  // in that type
  Shortfall shortfall = Shortfall::none;

  bool changes() const { return type != tensor->type; }
};

// Chooses a type for each tensor, in the order of gguf.tensors(); `gguf` must outlive the result. Fails,
// naming the tensor, when a tensor must change whose type cannot be read.
Result<std::vector<WeightChoice>> choose_types(const Gguf& gguf, uint32_t layers, const BitRule& rule);

}  // namespace spillway
