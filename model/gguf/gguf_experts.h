#pragma once

#include <cstdint>
#include <vector>

#include "core/geometry.h"
#include "core/result.h"
#include "model/gguf/gguf.h"

namespace spillway {

enum class ExpertPart { gate, up, gate_up, down };

// A tensor that holds one part of every expert of a layer, expert after expert.
struct GgufExpertTensor {
  ExpertPart part{};
  TensorType type{};
  uint32_t file = 0;    // index into Gguf::files()
  uint64_t offset = 0;  // of expert 0, from the beginning of that file
  uint64_t bytes = 0;   // of one expert
  uint32_t experts = 0;
};

struct GgufExperts {
  // [layer]: gate, up and down; or gate_up (both fused) and down; or up and down, for experts without a gate;
  // or nothing in a layer without routed experts.
  std::vector<std::vector<GgufExpertTensor>> layers;
  uint32_t experts_per_layer = 0;

  std::vector<uint64_t> expert_bytes() const;  // [layer]
};

// Finds the experts in the file. Layers are the blocks that decoding runs; the blocks behind them, which
// predict further tokens, are left out. Fails when a layer lacks some of the parts of its experts, and when
// there are no experts; the error then says what the file is instead.
Result<GgufExperts> find_gguf_experts(const Gguf& gguf);

// Returns the shape of the model, from its experts and its architecture's keys. Fails when the two disagree.
Result<ModelGeometry> gguf_geometry(const Gguf& gguf, const GgufExperts& experts);

}  // namespace spillway
