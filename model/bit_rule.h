#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/gguf/gguf.h"

// How many bits the weights of a model are to have, by what they are for.
namespace spillway {

// What a tensor is for, by its name and shape.
enum class WeightGroup {
  embeddings,
  output,
  attention,  // and the mixers that other architectures have in its place
  shared_experts,
  dense,         // feed-forward networks of blocks without experts
  other,         // matrices that none of these names fits
  edge_experts,  // of the first block and the last
  routed_experts,
  router,
  small,  // norms, biases, and what steers a recurrence: few, and the model is sensitive to them
};

std::string_view name_of(WeightGroup group);

// `layers` are those that decoding runs; blocks behind them count as the last.
WeightGroup weight_group(const GgufTensor& tensor, uint32_t layers);

// How many there are.
uint64_t tensor_values(const GgufTensor& tensor);

// `static:LOW,HIGH`: bits by architecture alone. Routed experts, most of a model and each seldom used, have
// the low bits; all other matrices, and the experts of the first block and the last, which are said to matter
// more, the high ones. The router and what is small stay as they are.
struct BitRule {
  uint32_t low = 0;
  uint32_t high = 0;

  // Bits are 2, 3, 4, 5, 6, 8 or 16.
  static Result<BitRule> parse(const std::string& text);
};

// Why a tensor has not the type that its bits ask for.
enum class Shortfall {
  none,
  no_k_type,       // its rows are no whole blocks of 256, so it has more bits
  no_q4_k,         // for the same reason it is in Q4_0, which has the bits but not the quality
  no_blocks,       // nor of 32, so it stays
  narrow_already,  // it has fewer, and more would not bring back what is lost
};

struct WeightChoice {
  const GgufTensor* tensor = nullptr;
  WeightGroup group{};
  TensorType type{};
  uint64_t bytes = 0;  // in that type
  Shortfall shortfall = Shortfall::none;

  bool changes() const { return type != tensor->type; }
};

// One for each tensor, in their order; `gguf` outlives them. Fails, naming the tensor, when one has to change
// whose type cannot be read.
Result<std::vector<WeightChoice>> choose_types(const Gguf& gguf, uint32_t layers, const BitRule& rule);

}  // namespace spillway
