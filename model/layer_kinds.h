#pragma once

#include <cstdint>
#include <vector>

#include "core/result.h"
#include "model/gguf/gguf.h"

namespace spillway {

// What a layer sees of the tokens before the one that is being computed.
enum class LayerKind {
  full,       // keys and values of all of them
  window,     // keys and values of the last `attention.sliding_window`
  recurrent,  // a state of fixed size
};

// The kind of each of the first `layers` layers, by the architecture's keys in the file:
//   recurrent   those that `attention.recurrent_layers` lists, or without that list, in a model with a state
//               (`ssm.state_size`), all but every `full_attention_interval`th
//   window      in a model with a window, those that `attention.sliding_window_pattern` lists; where the
//               pattern is a number, all but every so many-th
// A file with a window and no pattern leaves the pattern to its architecture: then every `full_every`th layer
// is a full one. Fails on lists that are too short and on intervals of 0.
Result<std::vector<LayerKind>> layer_kinds(const Gguf& gguf, uint32_t layers, uint32_t full_every = 1);

}  // namespace spillway
