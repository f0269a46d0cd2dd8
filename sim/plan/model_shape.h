#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/result.h"

// What a model is made of, from which everything the planner says of bytes follows.
namespace spillway::plan {

// Softmax attention, with grouped queries or, where `latent` is set, with keys and values kept as one latent
// vector (multi-head latent attention: DeepSeek-V2, arXiv 2405.04434, section 2.1).
struct Attention {
  uint32_t heads = 0;
  uint32_t kv_heads = 0;  // unused with a latent
  uint32_t head_size = 0;
  bool gated = false;      // the queries' matrix makes a gate of the same width beside them
  bool key_value = false;  // one matrix makes keys and values
  uint32_t latent = 0;
  uint32_t query_rank = 0;  // of a latent's factored query matrix; 0: not factored
  uint32_t rope_size = 0;   // of a latent's rotated part, beside head_size
  uint32_t value_size = 0;  // of a latent's values; else head_size
};

// Gated DeltaNet: a state of fixed size instead of keys and values.
struct LinearAttention {
  uint32_t key_heads = 0;
  uint32_t value_heads = 0;
  uint32_t head_size = 0;  // of keys and values
  uint32_t kernel = 0;     // of the convolution over time
};

// A decoder of which all layers but the first few have routed experts.
struct ModelShape {
  std::string name;
  uint32_t layers = 0;
  uint32_t hidden = 0;
  uint32_t vocabulary = 0;
  bool tied_head = false;  // the embedding is the head, too

  uint32_t dense_layers = 0;  // so many first layers have one FFN of dense_ffn, and no experts
  uint32_t dense_ffn = 0;
  uint32_t experts = 0;  // of each other layer
  uint32_t top_k = 0;
  uint32_t expert_ffn = 0;
  bool expert_bias = false;
  uint32_t shared_ffn = 0;  // what every token goes through beside its experts, all of it together

  // The last of every `full_every` layers attends to the whole context; the others are linear, or look back
  // `window` tokens only.
  uint32_t full_every = 1;
  Attention attention;
  std::optional<LinearAttention> linear;
  uint32_t window = 0;
  Attention window_attention;

  uint32_t full_layers() const { return layers / full_every; }
  uint32_t other_layers() const { return layers - full_layers(); }
  uint32_t moe_layers() const { return layers - dense_layers; }

  // Refuses what would divide by zero or overflow further on, naming the key.
  Result<void> validate() const;
};

// Weights by what a bit width is chosen for.
struct Parameters {
  uint64_t embedding = 0;
  uint64_t head = 0;        // 0 when it is the embedding
  uint64_t mixer = 0;       // attention, linear attention
  uint64_t shared_ffn = 0;  // shared experts and dense layers' FFNs
  uint64_t router = 0;
  uint64_t norms = 0;    // and what else is a vector
  uint64_t expert = 0;   // one of them
  uint64_t experts = 0;  // all of them

  uint64_t total() const;
};

Parameters count_parameters(const ModelShape& shape);

// Those that one token is multiplied with: what a model's name calls active. `top_k` experts a layer.
uint64_t active_parameters(const ModelShape& shape, uint32_t top_k);

// Values that a token leaves behind in all layers that attend to the whole context, and in all that look back
// a window.
uint64_t full_kv_values(const ModelShape& shape);
uint64_t window_kv_values(const ModelShape& shape);

// Values of a sequence's recurrent state, whatever its length.
uint64_t state_values(const ModelShape& shape);

}  // namespace spillway::plan
