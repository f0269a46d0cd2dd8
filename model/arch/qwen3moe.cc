#include "model/arch/list.h"

// Qwen3-30B-A3B, Qwen3-235B-A22B, Qwen3-Coder: attention with normalised heads in every layer; a softmax over
// all experts, with the weights of the chosen experts scaled to the sum 1.
namespace spillway {
namespace {

Result<Model> build(ModelBuilder& from) {
  Result<AttentionShape> shape = from.attention_shape();
  if (!shape) {
    return propagate(shape);
  }
  return from.build("ffn_norm", [&](const Model& model, uint32_t block, Layer& layer) -> Result<void> {
    Result<std::unique_ptr<Mixer>> mixer = from.attention(model, *shape, block);
    if (!mixer) {
      return propagate(mixer);
    }
    layer.mixer = std::move(*mixer);
    return {};
  });
}

}  // namespace

Architecture qwen3moe_architecture() {
  return {"qwen3moe", build};
}

}  // namespace spillway
