#include "model/arch/list.h"

// Qwen3-30B-A3B, Qwen3-235B-A22B, Qwen3-Coder. Every layer has an attention with normalised heads. The router
// takes a softmax over all experts and scales the weights of the chosen experts to the sum 1.
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
