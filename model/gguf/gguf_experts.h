#pragma once

#include <cstdint>
#include <vector>

#include "core/geometry.h"
#include "core/result.h"
#include "model/gguf/gguf.h"

namespace spillway {

enum class ExpertPart { gate, up, gate_up, down };

// One tensor that holds a part of every expert of a layer, one expert behind the other.
struct GgufExpertTensor {
  ExpertPart part{};
  TensorType type{};
  uint32_t file = 0;    // index into Gguf::files()
  uint64_t offset = 0;  // of expert 0 in that file
  uint64_t bytes = 0;   // of one expert
  uint32_t experts = 0;
};

struct GgufExperts {
  // [layer]: gate, up and down; or gate and up fused, and down; or, without routed experts, nothing.
  std::vector<std::vector<GgufExpertTensor>> layers;
  uint32_t experts_per_layer = 0;

  std::vector<uint64_t> expert_bytes() const;  // one entry a layer
};

// Where the experts lie. Layers are those that decoding runs: blocks for predicting further tokens, which a
// file has behind them, are left out. Fails when the model has no experts or a layer lacks some of them.
Result<GgufExperts> find_gguf_experts(const Gguf& gguf);

// The shape of the model, from its experts and its architecture's keys, which must agree.
Result<ModelGeometry> gguf_geometry(const Gguf& gguf, const GgufExperts& experts);

}  // namespace spillway
