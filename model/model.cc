#include "model/model.h"

#include <algorithm>
#include <numeric>

#include "core/expects.h"
#include "model/arch/list.h"

namespace spillway {
namespace {

// Returns the middle of the name of the tensor that holds this part.
std::string_view tensor_of(ExpertPart part) {
  switch (part) {
    case ExpertPart::gate:
      return "ffn_gate_exps";
    case ExpertPart::up:
      return "ffn_up_exps";
    case ExpertPart::gate_up:
      return "ffn_gate_up_exps";
    case ExpertPart::down:
      return "ffn_down_exps";
  }
  Expects(false);
  return {};
}

}  // namespace

uint64_t Model::state_bytes(uint32_t positions) const {
  return std::accumulate(layers.begin(), layers.end(), uint64_t{0}, [&](uint64_t sum, const Layer& layer) {
    return sum + layer.mixer->state_bytes(positions);
  });
}

std::string ModelBuilder::name(uint32_t block, std::string_view part) {
  return fmt::format("blk.{}.{}.weight", block, part);
}

Result<uint32_t> ModelBuilder::size(std::string_view key, std::optional<uint32_t> otherwise) const {
  Result<std::string> full = gguf.metadata().arch_key(key);
  if (!full) {
    return propagate(full);
  }
  Result<uint32_t> value = gguf.metadata().integer<uint32_t>(*full, otherwise);
  if (value && *value == 0) {
    return failed("{}: {} is 0", gguf.path(), *full);
  }
  return value;
}

Result<float> ModelBuilder::real(std::string_view key, std::optional<float> otherwise) const {
  Result<std::string> full = gguf.metadata().arch_key(key);
  if (!full) {
    return propagate(full);
  }
  Result<double> value =
      gguf.metadata().real(*full, otherwise ? std::optional<double>(double(*otherwise)) : std::nullopt);
  if (!value) {
    return propagate(value);
  }
  return float(*value);
}

// Checks properties of the router that every supported architecture has: with others,
// the results would be wrong.
Result<void> ModelBuilder::check_routing(const ModelGeometry& geometry) const {
  constexpr uint32_t kSoftmax = 1;
  const std::string used_key = *gguf.metadata().arch_key("expert_used_count");
  Result<uint32_t> blocks = size("block_count", geometry.layers);
  if (!blocks) {
    return propagate(blocks);
  }
  Result<std::vector<uint32_t>> used = gguf.metadata().per_layer<uint32_t>(used_key, *blocks);
  if (!used) {
    return propagate(used);
  }
  if (std::any_of(used->begin(), used->begin() + geometry.layers,
                  [&](uint32_t count) { return count != geometry.top_k; })) {
    return failed("{}: {} differs from layer to layer, which is not supported", gguf.path(), used_key);
  }
  const Result<uint32_t> gating = size("expert_gating_func", kSoftmax);
  const Result<float> scale = real("expert_weights_scale", 1.0F);
  if (std::optional<Error> error = first_error(gating, scale)) {
    return Unexpected(*error);
  }
  if (*gating != kSoftmax || *scale != 1.0F) {
    return failed("{}: a router with gating function {} and weights scaled by {} is not supported",
                  gguf.path(), *gating, *scale);
  }
  return {};
}

Result<Model> ModelBuilder::trunk() {
  Model model;
  Result<ModelGeometry> geometry = gguf_geometry(gguf, experts);
  if (!geometry) {
    return propagate(geometry);
  }
  model.geometry = std::move(*geometry);
  if (Result<void> known = check_routing(model.geometry); !known) {
    return propagate(known);
  }
  Result<uint32_t> width = size("embedding_length");
  Result<float> epsilon = real("attention.layer_norm_rms_epsilon");
  const GgufTensor* embedding = gguf.find("token_embd.weight");
  if (std::optional<Error> error = first_error(width, epsilon)) {
    return Unexpected(*error);
  }
  if (embedding == nullptr || embedding->dims[1] > std::numeric_limits<int32_t>::max()) {
    return failed("{}: tensor token_embd.weight is missing or impossibly large", gguf.path());
  }
  model.width = *width;
  model.epsilon = *epsilon;
  model.vocabulary = uint32_t(embedding->dims[1]);
  Result<Matrix> table = weights.matrix("token_embd.weight", model.width, model.vocabulary);
  Result<std::span<const float>> norm = weights.vector("output_norm.weight", model.width);
  // A model without a head of its own uses the embedding for both.
  Result<Matrix> head =
      weights.has("output.weight") ? weights.matrix("output.weight", model.width, model.vocabulary) : table;
  if (std::optional<Error> error = first_error(table, norm, head)) {
    return Unexpected(*error);
  }
  model.embedding = *table;
  model.output_norm = *norm;
  model.head = *head;
  return model;
}

Result<ExpertLayout> ModelBuilder::expert_layout(const Model& model, uint32_t index) const {
  ExpertMatrices shapes;
  bool fused = false;
  const std::vector<GgufExpertTensor>& parts = experts.layers[index];
  if (parts.empty()) {
    return failed("{}: block {} has no routed experts, which is not supported", gguf.path(), index);
  }
  const GgufTensor* down = gguf.find(name(index, "ffn_down_exps"));
  const uint64_t hidden = down == nullptr ? 0 : down->dims[0];
  const auto shape = [&](const GgufExpertTensor& part, uint64_t columns, uint64_t rows) -> Result<Matrix> {
    const std::string called = name(index, tensor_of(part.part));
    Result<const GgufTensor*> tensor = gguf.tensor(called, {columns, rows, experts.experts_per_layer});
    if (!tensor) {
      return propagate(tensor);
    }
    Result<uint64_t> bytes = row_bytes(part.type, columns);
    if (!can_multiply(part.type)) {
      return failed("{}: tensor {} is of type {}, which this program cannot compute with", gguf.path(),
                    called, tensor_type_info(part.type).name);
    }
    if (!bytes) {
      return propagate(bytes);
    }
    return Matrix{part.type, uint32_t(rows), uint32_t(columns), *bytes, nullptr};
  };
  for (const GgufExpertTensor& part : parts) {
    const bool is_down = part.part == ExpertPart::down;
    const uint64_t rows = is_down ? model.width : part.part == ExpertPart::gate_up ? 2 * hidden : hidden;
    Result<Matrix> matrix = shape(part, is_down ? hidden : model.width, rows);
    if (!matrix) {
      return propagate(matrix);
    }
    if (part.part == ExpertPart::gate_up) {
      fused = true;
      matrix->rows /= 2;
      shapes.gate = shapes.up = *matrix;
    } else {
      (is_down ? shapes.down : part.part == ExpertPart::gate ? shapes.gate : shapes.up) = *matrix;
    }
  }
  return ExpertLayout(shapes, fused);
}

Result<Layer> ModelBuilder::layer(const Model& model, uint32_t block, std::string_view ffn_norm) {
  Result<std::span<const float>> before_mixer = weights.vector(name(block, "attn_norm"), model.width);
  Result<std::span<const float>> before_ffn = weights.vector(name(block, ffn_norm), model.width);
  Result<Matrix> router =
      weights.matrix(name(block, "ffn_gate_inp"), model.width, model.geometry.experts_per_layer);
  Result<ExpertLayout> layout = expert_layout(model, block);
  if (std::optional<Error> error = first_error(before_mixer, before_ffn, router, layout)) {
    return Unexpected(*error);
  }
  return Layer{*before_mixer, nullptr, *before_ffn, *router, *layout, std::nullopt};
}

Result<Model> ModelBuilder::build(std::string_view ffn_norm, Specialise specialise) {
  Result<Model> model = trunk();
  if (!model) {
    return model;
  }
  for (uint32_t block = 0; block < model->geometry.layers; ++block) {
    Result<Layer> made = layer(*model, block, ffn_norm);
    if (!made) {
      return propagate(made);
    }
    if (Result<void> special = specialise(*model, block, *made); !special) {
      return propagate(special);
    }
    Ensures(made->mixer != nullptr);
    model->layers.push_back(std::move(*made));
  }
  return model;
}

Result<Model> ModelBuilder::build(std::string_view ffn_norm, const AttentionShape& shape) {
  return build(ffn_norm, [&](const Model& model, uint32_t block, Layer& layer) -> Result<void> {
    Result<std::unique_ptr<Mixer>> mixer = attention(model, shape, block);
    if (!mixer) {
      return propagate(mixer);
    }
    layer.mixer = std::move(*mixer);
    return {};
  });
}

Result<AttentionShape> ModelBuilder::attention_shape() const {
  Result<uint32_t> width = size("embedding_length");
  Result<uint32_t> heads = size("attention.head_count");
  Result<float> epsilon = real("attention.layer_norm_rms_epsilon");
  Result<float> base = real("rope.freq_base", 10000.0F);
  if (std::optional<Error> error = first_error(width, heads, epsilon, base)) {
    return Unexpected(*error);
  }
  Result<uint32_t> kv_heads = size("attention.head_count_kv", *heads);
  Result<uint32_t> head_size = size("attention.key_length", *width / *heads);
  if (std::optional<Error> error = first_error(kv_heads, head_size)) {
    return Unexpected(*error);
  }
  Result<uint32_t> value_size = size("attention.value_length", *head_size);
  Result<uint32_t> rotated = size("rope.dimension_count", *head_size);
  if (std::optional<Error> error = first_error(value_size, rotated)) {
    return Unexpected(*error);
  }
  constexpr uint64_t kWidest = 1U << 20;  // all heads together; the largest known model has 16384
  if (uint64_t{*heads} * *head_size > kWidest || *heads % *kv_heads != 0 || *value_size != *head_size ||
      *rotated > *head_size || *rotated % 2 != 0) {
    return failed(
        "{}: attention with {} heads, {} key heads, keys of {}, values of {} and {} rotated values is not "
        "supported",
        gguf.path(), *heads, *kv_heads, *head_size, *value_size, *rotated);
  }
  if (Result<std::string> key = gguf.metadata().arch_key("rope.scaling.type");
      key && gguf.metadata().has(*key)) {
    Result<std::string_view> scaling = gguf.metadata().text(*key);
    if (!scaling || *scaling != "none") {
      return failed("{}: {} asks for a scaling of positions, which is not supported", gguf.path(), *key);
    }
  }
  return AttentionShape{.heads = *heads,
                        .kv_heads = *kv_heads,
                        .head_size = *head_size,
                        .epsilon = *epsilon,
                        .rope = {.rotated = *rotated, .base = *base}};
}

Result<std::unique_ptr<Mixer>> ModelBuilder::attention(const Model& model, const AttentionShape& shape,
                                                       uint32_t block) {
  const uint32_t q_width = shape.heads * shape.head_size;
  const uint32_t kv_width = shape.kv_heads * shape.head_size;
  const bool per_head = shape.norm == HeadNorm::per_head;
  Result<Matrix> q = weights.matrix(name(block, "attn_q"), model.width, shape.gated ? 2 * q_width : q_width);
  Result<Matrix> k = weights.matrix(name(block, "attn_k"), model.width, kv_width);
  Result<Matrix> v = weights.matrix(name(block, "attn_v"), model.width, kv_width);
  Result<Matrix> output = weights.matrix(name(block, "attn_output"), q_width, model.width);
  Result<std::span<const float>> q_norm =
      weights.vector(name(block, "attn_q_norm"), per_head ? shape.head_size : q_width);
  Result<std::span<const float>> k_norm =
      weights.vector(name(block, "attn_k_norm"), per_head ? shape.head_size : kv_width);
  if (std::optional<Error> error = first_error(q, k, v, output, q_norm, k_norm)) {
    return Unexpected(*error);
  }
  return make_attention({*q, *k, *v, *output, *q_norm, *k_norm}, shape, options.context, options.kv);
}

uint64_t kv_bytes_per_token(const Gguf& gguf, uint32_t layers, KvType kv) {
  uint64_t values = 0;
  for (uint32_t block = 0; block < layers; ++block) {
    for (const char* part : {"attn_k", "attn_v"}) {
      const GgufTensor* projection = gguf.find(ModelBuilder::name(block, part));
      values += projection == nullptr ? 0 : projection->dims[1];  // nullptr in a recurrent layer
    }
  }
  return values * value_bytes(kv);
}

Result<Model> build_model(const Gguf& gguf, const GgufExperts& experts, ResidentWeights& weights,
                          const SequenceOptions& options) {
  Result<const Architecture*> architecture = find_architecture(gguf);
  if (!architecture) {
    return propagate(architecture);
  }
  ModelBuilder builder(gguf, experts, weights, options);
  Result<Model> model = (*architecture)->build(builder);
  if (!model) {
    return model;
  }
  if (Result<void> all_used = weights.complain_of_unused(); !all_used) {
    return propagate(all_used);
  }
  return model;
}

}  // namespace spillway
