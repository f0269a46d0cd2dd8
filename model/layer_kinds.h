#pragma once

#include <cstdint>
#include <vector>

#include "core/result.h"
#include "model/gguf/gguf.h"

namespace spillway {

// What a layer keeps of the earlier tokens.
enum class LayerKind {
  full,       // keys and values of all of them
  window,     // keys and values of the last `attention.sliding_window` tokens
  recurrent,  // a state of fixed size
};

// Returns the kind of each of the first `layers` layers, by the architecture's keys in the file:
//   recurrent   in a model with a state (`ssm.state_size`): the layers in `attention.recurrent_layers`, or
//               without that list all but every `full_attention_interval`th
//               in any model without these keys: the layers that have 0 in a list `attention.head_count_kv`
//   window      in a model with a window: the layers that `attention.sliding_window_pattern` lists, or where
//               the pattern is a number n, all but every n-th
// A file with a window and no pattern leaves the pattern to its architecture: every `full_every`th layer is
// full. Fails on lists that are too short and on intervals of 0.
Result<std::vector<LayerKind>> layer_kinds(const Gguf& gguf, uint32_t layers, uint32_t full_every = 1);

}  // namespace spillway
