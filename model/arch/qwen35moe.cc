#include <algorithm>

#include "model/arch/list.h"
#include "model/layer_kinds.h"
#include "model/layers/delta_net.h"

// Qwen3.5 and 3.6. Most layers are gated DeltaNets; every few layers there is a gated attention. Each layer
// has a shared expert in addition to the routed ones.
namespace spillway::architecture {
namespace {

Result<AttentionShape> gated_attention(const ModelBuilder& from) {
  Result<AttentionShape> shape = from.attention_shape();
  if (!shape) {
    return shape;
  }
  Result<std::string> key = from.gguf.metadata().arch_key("rope.dimension_sections");
  if (!key) {
    return propagate(key);
  }
  Result<std::vector<int32_t>> sections = from.gguf.metadata().integers<int32_t>(*key);
  if (!sections) {
    return propagate(sections);
  }
  if (sections->size() == 3) {
    sections->push_back(0);  // the fourth component is for positions that text does not have
  }
  const bool sane = sections->size() == 4 && std::all_of(sections->begin(), sections->end(),
                                                         [](int32_t s) { return s >= 0 && s < (1 << 16); });
  if (!sane) {
    return failed("{}: {} is not a list of three or four sizes", from.gguf.path(), *key);
  }
  std::copy_n(sections->begin(), 4, shape->rope.sections.begin());
  shape->gated = true;
  return shape;
}

Result<DeltaNetShape> delta_net_shape(const ModelBuilder& from) {
  Result<uint32_t> kernel = from.size("ssm.conv_kernel");
  Result<uint32_t> size = from.size("ssm.state_size");
  Result<uint32_t> key_heads = from.size("ssm.group_count");
  Result<uint32_t> value_heads = from.size("ssm.time_step_rank");
  Result<uint32_t> inner = from.size("ssm.inner_size");
  Result<float> epsilon = from.real("attention.layer_norm_rms_epsilon");
  if (std::optional<Error> error = first_error(kernel, size, key_heads, value_heads, inner, epsilon)) {
    return Unexpected(*error);
  }
  constexpr uint32_t kWidest = 1U << 20;  // the largest known model has 8192
  if (*inner > kWidest || uint64_t{*size} * *value_heads != *inner || *value_heads % *key_heads != 0) {
    return failed(
        "{}: a recurrence of {} key heads and {} value heads, of size {} and {} wide, is not supported",
        from.gguf.path(), *key_heads, *value_heads, *size, *inner);
  }
  return DeltaNetShape{*key_heads, *value_heads, *size, *kernel, *epsilon};
}

Result<std::unique_ptr<Mixer>> delta_net(ModelBuilder& from, const Model& model, const DeltaNetShape& shape,
                                         uint32_t block) {
  const uint32_t value_width = shape.value_heads * shape.head_size;
  const uint32_t channels = 2 * shape.key_heads * shape.head_size + value_width;
  const auto name = [block](const char* part) { return ModelBuilder::name(block, part); };
  ResidentWeights& weights = from.weights;
  Result<Matrix> qkv = weights.matrix(name("attn_qkv"), model.width, channels);
  Result<Matrix> gate = weights.matrix(name("attn_gate"), model.width, value_width);
  Result<Matrix> beta = weights.matrix(name("ssm_beta"), model.width, shape.value_heads);
  Result<Matrix> alpha = weights.matrix(name("ssm_alpha"), model.width, shape.value_heads);
  Result<Matrix> output = weights.matrix(name("ssm_out"), value_width, model.width);
  Result<std::span<const float>> convolution =
      weights.vector(name("ssm_conv1d"), uint64_t{channels} * shape.kernel);
  Result<std::span<const float>> bias =
      weights.vector(fmt::format("blk.{}.ssm_dt.bias", block), shape.value_heads);
  Result<std::span<const float>> decay =
      weights.vector(fmt::format("blk.{}.ssm_a", block), shape.value_heads);
  Result<std::span<const float>> norm = weights.vector(name("ssm_norm"), shape.head_size);
  if (std::optional<Error> error =
          first_error(qkv, gate, beta, alpha, output, convolution, bias, decay, norm)) {
    return Unexpected(*error);
  }
  return make_delta_net({*qkv, *gate, *beta, *alpha, *output, *convolution, *bias, *decay, *norm}, shape);
}

Result<SharedExpert> shared_expert(ModelBuilder& from, const Model& model, uint32_t block) {
  const auto name = [block](const char* part) { return ModelBuilder::name(block, part); };
  const GgufTensor* down = from.gguf.find(name("ffn_down_shexp"));
  if (down == nullptr || down->dims[0] > std::numeric_limits<uint32_t>::max()) {
    return failed("{}: tensor {} is missing or impossibly large", from.gguf.path(), name("ffn_down_shexp"));
  }
  const auto hidden = uint32_t(down->dims[0]);
  Result<Matrix> gate = from.weights.matrix(name("ffn_gate_shexp"), model.width, hidden);
  Result<Matrix> up = from.weights.matrix(name("ffn_up_shexp"), model.width, hidden);
  Result<Matrix> back = from.weights.matrix(name("ffn_down_shexp"), hidden, model.width);
  Result<std::span<const float>> weight = from.weights.vector(name("ffn_gate_inp_shexp"), model.width);
  if (std::optional<Error> error = first_error(gate, up, back, weight)) {
    return Unexpected(*error);
  }
  return SharedExpert{{*gate, *up, *back}, *weight};
}

Result<Model> build(ModelBuilder& from) {
  Result<AttentionShape> attention = gated_attention(from);
  Result<DeltaNetShape> recurrence = delta_net_shape(from);
  Result<std::vector<LayerKind>> kinds = layer_kinds(from.gguf, uint32_t(from.experts.layers.size()));
  if (std::optional<Error> error = first_error(attention, recurrence, kinds)) {
    return Unexpected(*error);
  }
  return from.build("post_attention_norm",
                    [&](const Model& model, uint32_t block, Layer& layer) -> Result<void> {
                      Result<std::unique_ptr<Mixer>> mixer = (*kinds)[block] == LayerKind::recurrent
                                                                 ? delta_net(from, model, *recurrence, block)
                                                                 : from.attention(model, *attention, block);
                      Result<SharedExpert> shared = shared_expert(from, model, block);
                      if (std::optional<Error> error = first_error(mixer, shared)) {
                        return Unexpected(*error);
                      }
                      layer.mixer = std::move(*mixer);
                      layer.shared = *shared;
                      return {};
                    });
}

}  // namespace

Architecture qwen35moe() {
  return {"qwen35moe", "Qwen3.5 and 3.6 mixtures of experts, most of whose layers are recurrent", build};
}

}  // namespace spillway::architecture
