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

// x += mixer(rms(x; mixer_norm)), then x += experts(rms(x; ffn_norm)); the shared expert is one of them.
struct Layer {
  std::span<const float> mixer_norm;
  std::unique_ptr<Mixer> mixer;
  std::span<const float> ffn_norm;
  Matrix router;         // experts × width
  ExpertLayout experts;  // of the routed experts, whose bytes the caller provides
  std::optional<SharedExpert> shared;
};

// A model without the bytes of its routed experts, and with the memory of one sequence.
struct Model {
  ModelGeometry geometry;
  uint32_t width = 0;       // of the residual stream
  uint32_t vocabulary = 0;  // rows of the embedding
  float epsilon = 1e-6F;    // of every RMS norm
  // True: the weights of a token's experts are scaled to the sum 1.
  bool normalise_weights = true;
  Matrix embedding;
  std::span<const float> output_norm;
  Matrix head;
  std::vector<Layer> layers;

  uint64_t state_bytes(uint32_t positions) const;
};

struct SequenceOptions {
  uint32_t context = 4096;  // the most tokens of a sequence
  KvType kv = KvType::f16;
};

// The material that an architecture is built from: look-ups in the file, and the parts that
// all architectures share.
class ModelBuilder {
 public:
  ModelBuilder(const Gguf& file, const GgufExperts& tables, ResidentWeights& loaded,
               const SequenceOptions& wishes)
      : gguf(file), experts(tables), weights(loaded), options(wishes) {}

  const Gguf& gguf;
  const GgufExperts& experts;
  ResidentWeights& weights;
  const SequenceOptions& options;

  // Look up an integer or real key of the architecture: for `embedding_length` that is
  // qwen3moe.embedding_length.
  Result<uint32_t> size(std::string_view key, std::optional<uint32_t> otherwise = std::nullopt) const;
  Result<float> real(std::string_view key, std::optional<float> otherwise = std::nullopt) const;

  // Fills in the parts of a layer that only this architecture has: its mixer, and a
  // shared expert if there is one.
  using Specialise = FunctionRef<Result<void>(const Model&, uint32_t block, Layer&)>;

  // Builds the model: embedding, head, and layers of norms, routers and expert shapes. `ffn_norm` is the name
  // of the norm before the experts.
  Result<Model> build(std::string_view ffn_norm, Specialise specialise);

  // Builds a model in which the mixer of every layer is an attention of that shape.
  Result<Model> build(std::string_view ffn_norm, const AttentionShape& shape);

  // Reads the shape of attention from the keys, and fills in the values that most architectures share. The
  // numbers of heads are those of the first block with attention.
  Result<AttentionShape> attention_shape() const;

  // Builds the attention of a block from its attn_q, attn_k, attn_v, attn_output, attn_q_norm and
  // attn_k_norm, with the block's own numbers of heads.
  Result<std::unique_ptr<Mixer>> attention(const Model& model, const AttentionShape& shape, uint32_t block);

  // Returns the name of a tensor: that of `attn_q` in block 3 is blk.3.attn_q.weight.
  static std::string name(uint32_t block, std::string_view part);

 private:
  Result<Model> trunk();
  Result<void> check_routing(const ModelGeometry& geometry) const;
  Result<void> check_keys() const;
  Result<void> read_heads(uint32_t block, AttentionShape& shape) const;
  Result<float> position_scale() const;
  Result<Layer> layer(const Model& model, uint32_t block, std::string_view ffn_norm);
  Result<ExpertLayout> expert_layout(const Model& model, uint32_t block) const;
};

// Returns the first error among several look-ups.
template <class... T>
std::optional<Error> first_error(const Result<T>&... results) {
  std::optional<Error> error;
  ((results || error ? void() : void(error = results.error())), ...);
  return error;
}

// Returns the bytes by which a context grows with each token: its keys and values in all layers. The head of
// the file is enough for that; no weight is read.
uint64_t kv_bytes_per_token(const Gguf& gguf, uint32_t layers, KvType kv);

// Builds the model that a file describes. `weights` must outlive it.
Result<Model> build_model(const Gguf& gguf, const GgufExperts& experts, ResidentWeights& weights,
                          const SequenceOptions& options);

}  // namespace spillway
