#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/function_ref.h"
#include "core/geometry.h"
#include "core/result.h"
#include "model/gguf/gguf_experts.h"
#include "model/layers/attention.h"
#include "model/layers/experts.h"
#include "model/layers/mixer.h"
#include "model/weights.h"

namespace spillway {

// x += mixer(rms(x; mixer_norm)), then x += experts(rms(x; ffn_norm)), the shared one among them.
struct Layer {
  std::span<const float> mixer_norm;
  std::unique_ptr<Mixer> mixer;
  std::span<const float> ffn_norm;
  Matrix router;         // experts × width
  ExpertLayout experts;  // of the routed ones, which are elsewhere
  std::optional<SharedExpert> shared;
};

// A model without its routed experts, and with the memory of one sequence.
struct Model {
  ModelGeometry geometry;
  uint32_t width = 0;       // of the residual stream
  uint32_t vocabulary = 0;  // rows of the embedding
  float epsilon = 1e-6F;    // of every RMS norm
  // Whether the weights of a token's experts are scaled to the sum 1.
  bool normalise_weights = true;
  Matrix embedding;
  std::span<const float> output_norm;
  Matrix head;
  std::vector<Layer> layers;

  uint64_t state_bytes(uint32_t positions) const;
};

struct SequenceOptions {
  uint32_t context = 4096;  // tokens of a sequence at most
  KvType kv = KvType::f16;
};

// What an architecture is built from: look-ups in the file, and the parts that all of them share.
class ModelBuilder {
 public:
  ModelBuilder(const Gguf& file, const GgufExperts& tables, ResidentWeights& loaded,
               const SequenceOptions& wishes)
      : gguf(file), experts(tables), weights(loaded), options(wishes) {}

  const Gguf& gguf;
  const GgufExperts& experts;
  ResidentWeights& weights;
  const SequenceOptions& options;

  // An integer or real key of the architecture: `embedding_length` is qwen3moe.embedding_length.
  Result<uint32_t> size(std::string_view key, std::optional<uint32_t> otherwise = std::nullopt) const;
  Result<float> real(std::string_view key, std::optional<float> otherwise = std::nullopt) const;

  // Fills in what is special about a layer: its mixer, and a shared expert if it has one.
  using Specialise = FunctionRef<Result<void>(const Model&, uint32_t block, Layer&)>;

  // The model: embedding, head, and layers of norms, routers and expert shapes; `ffn_norm` is what the norm
  // before the experts is called.
  Result<Model> build(std::string_view ffn_norm, Specialise specialise);

  // What the keys say of attention; the rest is what most architectures share.
  Result<AttentionShape> attention_shape() const;

  // The attention of a block: attn_q, attn_k, attn_v, attn_output, attn_q_norm, attn_k_norm.
  Result<std::unique_ptr<Mixer>> attention(const Model& model, const AttentionShape& shape, uint32_t block);

  // `attn_q` of block 3 is blk.3.attn_q.weight.
  static std::string name(uint32_t block, std::string_view part);

 private:
  Result<Model> trunk();
  Result<void> check_routing(const ModelGeometry& geometry) const;
  Result<Layer> layer(const Model& model, uint32_t block, std::string_view ffn_norm);
  Result<ExpertLayout> expert_layout(const Model& model, uint32_t block) const;
};

// Of several look-ups the first that failed.
template <class... T>
std::optional<Error> first_error(const Result<T>&... results) {
  std::optional<Error> error;
  ((results || error ? void() : void(error = results.error())), ...);
  return error;
}

// Keys and values of one token in all layers, which is what a context grows by: known from the head of the
// file, before a weight is read.
uint64_t kv_bytes_per_token(const Gguf& gguf, uint32_t layers, KvType kv);

// Puts together the model that a file describes. `weights` must outlive it.
Result<Model> build_model(const Gguf& gguf, const GgufExperts& experts, ResidentWeights& weights,
                          const SequenceOptions& options);

}  // namespace spillway
