#include <algorithm>
#include <string_view>

#include "app/plan/sources.h"
#include "app/presets/plan_presets.h"
#include "app/run/open_store.h"
#include "model/gguf/foreign_tensors.h"
#include "model/gguf/gguf_experts.h"
#include "model/layer_kinds.h"

namespace spillway {
namespace {

bool contains(std::string_view name, std::string_view part) {
  return name.find(part) != std::string_view::npos;
}

// Returns the class of a resident tensor, by the names that GGUF files use.
uint64_t plan::ModelBytes::*class_of(std::string_view name) {
  if (name.starts_with("token_embd.")) {
    return &plan::ModelBytes::embedding;
  }
  if (name.starts_with("output.")) {
    return &plan::ModelBytes::head;
  }
  if (contains(name, "norm") || contains(name, "ffn_gate_inp") || !name.starts_with("blk.")) {
    return &plan::ModelBytes::router_and_norms;
  }
  return contains(name, ".ffn_") ? &plan::ModelBytes::shared_ffn : &plan::ModelBytes::mixer;
}

uint64_t weights_of(const GgufTensor& tensor) {
  return tensor.dims[0] * tensor.dims[1] * tensor.dims[2] * tensor.dims[3];
}

void add_resident(const Gguf& gguf, uint32_t layers, plan::ModelBytes& model) {
  uint64_t embedding = 0;  // weights
  for (const GgufTensor& tensor : gguf.tensors()) {
    if (!is_left_out(tensor, layers) && !contains(tensor.name, "_exps.")) {
      model.*class_of(tensor.name) += tensor.bytes;
      model.resident_weights +=
          class_of(tensor.name) == &plan::ModelBytes::embedding ? 0 : weights_of(tensor);
      embedding += class_of(tensor.name) == &plan::ModelBytes::embedding ? weights_of(tensor) : 0;
    }
  }
  model.tied_head = model.head == 0;
  if (model.tied_head) {
    model.head = model.embedding;
    model.resident_weights += embedding;
  }
}

// Returns the number of weights of one expert. All layers' experts have the same number, so the mean
// is whole.
uint64_t expert_weights(const Gguf& gguf, const plan::ModelBytes& model) {
  uint64_t all = 0;
  for (const GgufTensor& tensor : gguf.tensors()) {
    const bool counts =
        contains(tensor.name, "_exps.") && parse_tensor_name(tensor.name).block.value_or(0) < model.layers;
    all += counts ? weights_of(tensor) : 0;
  }
  return all / model.expert_count();
}

// Reads keys of the architecture. An absent key has the value `otherwise`.
class Keys {
 public:
  explicit Keys(const Gguf& gguf) : gguf_(gguf) {}

  uint64_t operator()(const char* name, uint64_t otherwise = 0) { return of_layer(name, 0, otherwise); }

  // The same for a key that may have another value in each layer.
  uint64_t of_layer(const char* name, uint32_t layer, uint64_t otherwise) {
    const Result<std::string> key = gguf_.metadata().arch_key(name);
    if (!key || !gguf_.metadata().has(*key)) {
      return otherwise;
    }
    Result<uint64_t> value = gguf_.metadata().of_layer<uint64_t>(*key, layer);
    if (!value || *value > kMost) {
      problem_ = value ? Error{ErrorKind::failed, fmt::format("{}: the key {} is {}, more than any model has",
                                                              gguf_.path(), *key, *value)}
                       : value.error();
      return otherwise;
    }
    return *value;
  }

  const std::optional<Error>& problem() const { return problem_; }

 private:
  static constexpr uint64_t kMost = 1U << 20;  // so that products of three stay below 2^63
  const Gguf& gguf_;
  std::optional<Error> problem_;
};

// Heads and bytes of the keys and values of one token in one layer.
struct LayerContext {
  uint64_t heads = 0;
  uint64_t kv_heads = 0;
  uint64_t bytes = 0;
};

LayerContext context_of(Keys& keys, uint32_t layer, bool in_window) {
  constexpr uint64_t kValueBytes = 2;  // F16, llama.cpp's default
  LayerContext made;
  made.heads = std::max<uint64_t>(keys.of_layer("attention.head_count", layer, 1), 1);
  made.kv_heads = keys.of_layer("attention.head_count_kv", layer, made.heads);
  const uint64_t head_size = keys("embedding_length") / made.heads;
  uint64_t key_size = keys("attention.key_length", head_size);
  uint64_t value_size = keys("attention.value_length", head_size);
  if (in_window) {
    key_size = keys("attention.key_length_swa", key_size);
    value_size = keys("attention.value_length_swa", value_size);
  }
  const uint64_t latent = keys("attention.kv_lora_rank");
  made.bytes = kValueBytes * (latent != 0 ? latent + keys("rope.dimension_count")
                                          : made.kv_heads * (key_size + value_size));
  made.kv_heads = latent != 0 ? 1 : made.kv_heads;
  return made;
}

// Adds the bytes of keys and values, and of the recurrent state.
Result<void> add_context(const Gguf& gguf, plan::ModelBytes& model) {
  constexpr uint64_t kStateBytes = 4;
  Keys keys(gguf);
  const uint64_t window = keys("attention.sliding_window");
  const uint32_t full_every =
      window == 0 ? 1 : full_attention_every(gguf.metadata().text("general.architecture").value_or(""));
  Result<std::vector<LayerKind>> kinds = layer_kinds(gguf, model.layers, full_every);
  if (!kinds) {
    return propagate(kinds);
  }
  uint64_t heads = 0;
  uint64_t kv_heads = 0;
  for (uint32_t layer = 0; layer < model.layers; ++layer) {
    const LayerKind kind = (*kinds)[layer];
    if (kind == LayerKind::recurrent) {
      continue;
    }
    const LayerContext of = context_of(keys, layer, kind == LayerKind::window);
    (kind == LayerKind::window ? model.window_kv_per_token : model.full_kv_per_token) += of.bytes;
    model.window = kind == LayerKind::window ? window : model.window;
    heads += of.kv_heads == 0 ? 0 : of.heads;
    kv_heads += of.kv_heads;
  }
  model.query_heads_per_kv = kv_heads == 0 ? 1 : double(heads) / double(kv_heads);
  const auto recurrent = uint64_t(std::count(kinds->begin(), kinds->end(), LayerKind::recurrent));
  const uint64_t inner = keys("ssm.inner_size");
  const uint64_t channels = inner + 2 * keys("ssm.group_count") * keys("ssm.state_size");
  const uint64_t history = std::max<uint64_t>(keys("ssm.conv_kernel", 1), 1) - 1;
  model.state = recurrent * (inner * keys("ssm.state_size") + history * channels) * kStateBytes;
  return keys.problem() ? Result<void>(Unexpected(*keys.problem())) : Result<void>();
}

}  // namespace

Result<plan::ModelBytes> read_model_bytes(const std::string& gguf_path) {
  Result<OpenGguf> file = open_gguf(gguf_path);
  if (!file) {
    return propagate(file);
  }
  const Gguf& gguf = file->gguf;
  const ModelGeometry& geometry = file->geometry;
  plan::ModelBytes model;
  model.name = std::string(gguf.metadata().text("general.name", gguf_path).value_or(gguf_path));
  model.layers = geometry.layers;
  model.moe_layers = uint32_t(std::count_if(geometry.expert_bytes.begin(), geometry.expert_bytes.end(),
                                            [](uint64_t bytes) { return bytes > 0; }));
  model.experts_per_layer = geometry.experts_per_layer;
  model.top_k = geometry.top_k;
  model.expert = geometry.total_bytes() / model.expert_count();
  add_resident(gguf, model.layers, model);
  model.expert_weights = expert_weights(gguf, model);
  if (Result<void> done = add_context(gguf, model); !done) {
    return propagate(done);
  }
  return model;
}

}  // namespace spillway
