#include "model/model.h"

#include <algorithm>
#include <array>
#include <cmath>
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

// Keys of llama.cpp's format that change what a model computes and that no architecture here obeys, with the
// value that changes nothing. A model that has another value would be computed wrongly without a word.
struct NeutralKey {
  std::string_view key;
  double neutral;
};
constexpr std::array kNeutralKeys = {
    NeutralKey{"attention.clamp_kqv", 0},
    NeutralKey{"attention.max_alibi_bias", 0},
    NeutralKey{"attention.temperature_scale", 0},
    NeutralKey{"attn_logit_softcapping", 0},
    NeutralKey{"final_logit_softcapping", 0},
    NeutralKey{"router_logit_softcapping", 0},
    NeutralKey{"attention.sliding_window", 0},
    NeutralKey{"logit_scale", 1},
    NeutralKey{"residual_scale", 1},
    NeutralKey{"embedding_scale", 1},
    NeutralKey{"attention.output_scale", 1},
    NeutralKey{"attention.value_scale", 1},
    NeutralKey{"expert_group_count", 1},
    NeutralKey{"expert_group_used_count", 1},
    NeutralKey{"leading_dense_block_count", 0},
    NeutralKey{"rope.scaling.attn_factor", 1},
    NeutralKey{"rope.scaling.yarn_log_multiplier", 0},
    NeutralKey{"attention.causal", 1},
    NeutralKey{"ssm.v_head_reordered", 1},
    NeutralKey{"use_parallel_residual", 0},
};

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

Result<void> ModelBuilder::check_keys() const {
  for (const auto& [name, neutral] : kNeutralKeys) {
    const std::string key = *gguf.metadata().arch_key(name);
    const GgufValue* value = gguf.metadata().find(key);
    if (value == nullptr) {
      continue;
    }
    double number = std::nan("");
    if (const auto* natural = std::get_if<uint64_t>(value)) {
      number = double(*natural);
    } else if (const auto* whole = std::get_if<int64_t>(value)) {
      number = double(*whole);
    } else if (const auto* real_number = std::get_if<double>(value)) {
      number = *real_number;
    } else if (const auto* flag = std::get_if<bool>(value)) {
      number = *flag ? 1 : 0;
    }
    if (number != neutral && number != 0) {
      return failed(
          "{}: {} is {}, which this program's version of the architecture does not obey; the model "
          "would be computed wrongly",
          gguf.path(), key, number);
    }
    if (number != neutral && neutral == 1 && std::holds_alternative<bool>(*value)) {
      return failed(
          "{}: {} is false, which this program's version of the architecture does not obey; the model "
          "would be computed wrongly",
          gguf.path(), key);
    }
  }
  return {};
}

Result<Model> ModelBuilder::trunk() {
  Model model;
  if (Result<void> obeyed = check_keys(); !obeyed) {
    return propagate(obeyed);
  }
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
  if (!(*epsilon > 0 && *epsilon < 1)) {
    return failed("{}: attention.layer_norm_rms_epsilon is {}; a number between 0 and 1 is wanted",
                  gguf.path(), *epsilon);
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
  if (parts.size() == 2 && parts.front().part == ExpertPart::up) {
    return failed("{}: the experts of block {} have no gate, which is not supported", gguf.path(), index);
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

Result<void> ModelBuilder::read_heads(uint32_t block, AttentionShape& shape) const {
  const GgufMetadata& keys = gguf.metadata();
  const Result<uint32_t> heads = keys.of_layer<uint32_t>(*keys.arch_key("attention.head_count"), block);
  if (!heads) {
    return Unexpected(heads.error());
  }
  const Result<uint32_t> kv_heads =
      keys.of_layer<uint32_t>(*keys.arch_key("attention.head_count_kv"), block, *heads);
  if (!kv_heads) {
    return Unexpected(kv_heads.error());
  }
  if (*heads == 0 || *kv_heads == 0 || *heads % *kv_heads != 0) {
    return failed("{}: attention with {} heads and {} key heads, in block {}, is not supported", gguf.path(),
                  *heads, *kv_heads, block);
  }
  shape.heads = *heads;
  shape.kv_heads = *kv_heads;
  return {};
}

// Returns the factor by which positions are multiplied: for models whose context was stretched. A factor
// without a type means `linear`, as llama.cpp has it; the type `none` makes the factor meaningless.
Result<float> ModelBuilder::position_scale() const {
  const GgufMetadata& keys = gguf.metadata();
  const std::string type_key = *keys.arch_key("rope.scaling.type");
  const Result<std::string_view> type = keys.text(type_key, "linear");
  const Result<float> old_factor = real("rope.scale_linear", 1.0F);
  if (std::optional<Error> error = first_error(type, old_factor)) {
    return Unexpected(*error);
  }
  Result<float> factor = real("rope.scaling.factor", *old_factor);
  if (!factor) {
    return propagate(factor);
  }
  if (*type == "none" || *factor == 0.0F) {
    return 1.0F;
  }
  if (!std::isfinite(*factor) || *factor < 0) {
    return failed("{}: positions are to be divided by {}, which is no factor", gguf.path(), *factor);
  }
  // Yarn with the factor 1 scales neither positions nor attention.
  if (*type != "linear" && *factor != 1.0F) {
    return failed("{}: {} is '{}', a scaling of positions that is not supported; 'linear' and 'none' are",
                  gguf.path(), type_key, *type);
  }
  return 1.0F / *factor;
}

Result<AttentionShape> ModelBuilder::attention_shape() const {
  AttentionShape shape;
  const GgufMetadata& keys = gguf.metadata();
  const std::string kv_key = *keys.arch_key("attention.head_count_kv");
  uint32_t block = 0;
  while (block + 1 < experts.layers.size() && keys.of_layer<uint32_t>(kv_key, block, 1U).value_or(1) == 0) {
    ++block;
  }
  if (Result<void> heads = read_heads(block, shape); !heads) {
    return propagate(heads);
  }
  Result<uint32_t> width = size("embedding_length");
  Result<float> epsilon = real("attention.layer_norm_rms_epsilon");
  Result<float> base = real("rope.freq_base", 10000.0F);
  Result<float> scale = position_scale();
  if (std::optional<Error> error = first_error(width, epsilon, base, scale)) {
    return Unexpected(*error);
  }
  if (!(*base > 0 && std::isfinite(*base))) {
    return failed("{}: rope.freq_base is {}; a number above 0 is wanted", gguf.path(), *base);
  }
  Result<uint32_t> head_size = size("attention.key_length", *width / shape.heads);
  if (!head_size) {
    return propagate(head_size);
  }
  Result<uint32_t> value_size = size("attention.value_length", *head_size);
  Result<uint32_t> rotated = size("rope.dimension_count", *head_size);
  if (std::optional<Error> error = first_error(value_size, rotated)) {
    return Unexpected(*error);
  }
  constexpr uint64_t kWidest = 1U << 20;  // all heads together; the largest known model has 16384
  if (uint64_t{shape.heads} * *head_size > kWidest || *value_size != *head_size || *rotated > *head_size ||
      *rotated % 2 != 0) {
    return failed(
        "{}: attention with {} heads, keys of {}, values of {} and {} rotated values is not supported",
        gguf.path(), shape.heads, *head_size, *value_size, *rotated);
  }
  shape.head_size = *head_size;
  shape.epsilon = *epsilon;
  shape.rope = {.rotated = *rotated, .base = *base, .scale = *scale};
  return shape;
}

Result<std::unique_ptr<Mixer>> ModelBuilder::attention(const Model& model, const AttentionShape& usual,
                                                       uint32_t block) {
  AttentionShape shape = usual;
  if (Result<void> heads = read_heads(block, shape); !heads) {
    return propagate(heads);
  }
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
