#pragma once

#include <cstdint>
#include <string>

#include "sim/plan/bits.h"
#include "sim/plan/model_shape.h"

namespace spillway::plan {

// The sizes in bytes of a model, as memory, drive and memory bus see it. Made from a shape and bit widths, or
// from the tensors of a file.
struct ModelBytes {
  std::string name;
  uint32_t layers = 0;
  uint32_t moe_layers = 0;
  uint32_t experts_per_layer = 0;
  uint32_t top_k = 0;  // as trained

  // Always in memory. A token reads one row of the embedding, and everything else whole.
  uint64_t embedding = 0;
  uint64_t head = 0;  // bytes read for the head; with a tied head, those of the embedding
  bool tied_head = false;
  uint64_t mixer = 0;
  uint64_t shared_ffn = 0;
  uint64_t router_and_norms = 0;

  uint64_t expert = 0;         // bytes read from the drive for one expert, the mean over layers
  uint64_t expert_scales = 0;  // bytes of one expert that stay in memory besides

  uint64_t resident_weights = 0;  // number of weights that every token is multiplied with
  uint64_t expert_weights = 0;    // number of weights of one expert

  uint64_t full_kv_per_token = 0;    // keys and values, all layers that see the whole context
  uint64_t window_kv_per_token = 0;  // keys and values, all layers that see `window` tokens
  uint64_t window = 0;
  double query_heads_per_kv = 1;  // how many query heads read each key and value
  uint64_t state = 0;             // of recurrent layers, independent of the context

  uint64_t expert_count() const { return uint64_t(moe_layers) * experts_per_layer; }
  uint64_t bank() const { return expert_count() * expert; }  // all bytes that can stay on the drive
  uint64_t resident() const;                                 // weights that must be in memory
  uint64_t on_disk() const { return resident() + bank(); }
  uint64_t context(uint64_t tokens) const;  // of one sequence of `tokens` tokens
};

ModelBytes model_bytes(const ModelShape& shape, const BitWidths& bits);

// The bytes that one token moves, with `top_k` experts a layer and `context` tokens before it.
struct TokenTraffic {
  uint64_t weights = 0;  // of resident weights
  uint64_t experts = 0;  // of the experts it uses, wherever they are
  uint64_t kv = 0;
  uint64_t state = 0;            // read and written
  uint64_t multiplications = 0;  // number of weights
};

TokenTraffic token_traffic(const ModelBytes& model, uint32_t top_k, uint64_t context);

}  // namespace spillway::plan
