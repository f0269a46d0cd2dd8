#include "model/arch/list.h"

// OLMoE-1B-7B (Muennighoff et al., "OLMoE: Open Mixture-of-Experts Language Models", 2024). Queries and keys
// are normalised across all heads together. The weights of the chosen experts are their probabilities in the
// softmax over all experts and are not scaled to the sum 1.
namespace spillway::architecture {
namespace {

Result<Model> build(ModelBuilder& from) {
  Result<AttentionShape> shape = from.attention_shape();
  if (!shape) {
    return propagate(shape);
  }
  shape->norm = HeadNorm::all_heads;
  Result<Model> model = from.build("ffn_norm", *shape);
  if (model) {
    model->normalise_weights = false;
  }
  return model;
}

}  // namespace

Architecture olmoe() {
  return {"olmoe", "OLMoE-1B-7B", build};
}

}  // namespace spillway::architecture
