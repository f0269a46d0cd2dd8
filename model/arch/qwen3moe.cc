#include "model/arch/list.h"

// Qwen3-30B-A3B, Qwen3-235B-A22B, Qwen3-Coder: attention with normalised heads in every layer; a softmax over
// all experts, with the weights of the chosen experts scaled to the sum 1.
namespace spillway::architecture {
namespace {

Result<Model> build(ModelBuilder& from) {
  Result<AttentionShape> shape = from.attention_shape();
  return shape ? from.build("ffn_norm", *shape) : propagate(shape);
}

}  // namespace

Architecture qwen3moe() {
  return {"qwen3moe", "Qwen3 mixtures of experts: Qwen3-30B-A3B, Qwen3-235B-A22B, Qwen3-Coder", build};
}

}  // namespace spillway::architecture
