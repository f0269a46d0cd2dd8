#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/result.h"

// The shape of a model, from which the planner derives all sizes.
namespace spillway::plan {

// Softmax attention with grouped queries. Where `latent` is set, keys and values are kept as one latent
// vector (multi-head latent attention: DeepSeek-V2, arXiv 2405.04434, section 2.1).
struct Attention {
  uint32_t heads = 0;
  uint32_t kv_heads = 0;  // unused with a latent
  uint32_t head_size = 0;
  bool gated = false;       // the query matrix also gives a gate of the same width
  bool key_value = false;   // one matrix gives both keys and values
  uint32_t latent = 0;      // size of the latent vector; 0: there is none
  uint32_t query_rank = 0;  // with a latent: rank of the factored query matrix; 0: not factored
  uint32_t rope_size = 0;   // with a latent: size of the rotated part, beside head_size
  uint32_t value_size = 0;  // with a latent: size of the values; otherwise they have head_size
};

// Gated DeltaNet: a state of fixed size instead of keys and values.
struct LinearAttention {
  uint32_t key_heads = 0;
  uint32_t value_heads = 0;
  uint32_t head_size = 0;  // of keys and values
  uint32_t kernel = 0;     // of the convolution over time
};

// A decoder whose layers all have routed experts, except the first few.
struct ModelShape {
  std::string name;
  uint32_t layers = 0;
  uint32_t hidden = 0;
  uint32_t vocabulary = 0;
  bool tied_head = false;  // the embedding is also the head

  uint32_t dense_layers = 0;  // first layers that have one FFN of dense_ffn, and no experts
  uint32_t dense_ffn = 0;
  uint32_t experts = 0;  // in each other layer
  uint32_t top_k = 0;
  uint32_t expert_ffn = 0;
  bool expert_bias = false;
  uint32_t shared_ffn = 0;  // width of all shared experts together, which every token uses

  // The last of every `full_every` layers attends to the whole context. The others are linear, or look back
  // `window` tokens only.
  uint32_t full_every = 1;
  Attention attention;
  std::optional<LinearAttention> linear;
  uint32_t window = 0;
  Attention window_attention;

  uint32_t full_layers() const { return layers / full_every; }
  uint32_t other_layers() const { return layers - full_layers(); }
  uint32_t moe_layers() const { return layers - dense_layers; }

  // Refuses sizes that would divide by zero or overflow later; the error names the key.
  Result<void> validate() const;
};

// Numbers of weights, by the part for which a bit width is chosen.
struct Parameters {
  uint64_t embedding = 0;
  uint64_t head = 0;        // 0 when the embedding is the head
  uint64_t mixer = 0;       // attention, linear attention
  uint64_t shared_ffn = 0;  // shared experts and dense layers' FFNs
  uint64_t router = 0;
  uint64_t norms = 0;    // norms and other vectors
  uint64_t expert = 0;   // one expert
  uint64_t experts = 0;  // all experts

  uint64_t total() const;
};

Parameters count_parameters(const ModelShape& shape);

// Returns the weights that one token is multiplied with, with `top_k` experts a layer: those that a model's
// name calls active.
uint64_t active_parameters(const ModelShape& shape, uint32_t top_k);

// Return the key and value numbers that a token adds in all layers that attend to the whole context, and in
// all layers that look back a window.
uint64_t full_kv_values(const ModelShape& shape);
uint64_t window_kv_values(const ModelShape& shape);

// Returns the number of values in a sequence's recurrent state, which is independent of its length.
uint64_t state_values(const ModelShape& shape);

}  // namespace spillway::plan
