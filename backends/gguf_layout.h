#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"

// Only as much of a GGUF as is needed to find its expert tensors. Every length in the file is checked against
// the file before it is used.
namespace spillway {

// One tensor that holds a part of every expert of a layer, one behind the other.
struct GgufExpertTensor {
  uint32_t file = 0;    // index into GgufLayout::files
  uint64_t offset = 0;  // of expert 0 in that file
  uint64_t bytes = 0;   // of one expert
  uint32_t experts = 0;
};

// Present are gate, up and down, or the fused gate_up and down, or, in a layer without routed experts, none.
struct GgufLayer {
  std::optional<GgufExpertTensor> gate;
  std::optional<GgufExpertTensor> up;
  std::optional<GgufExpertTensor> gate_up;
  std::optional<GgufExpertTensor> down;

  // The parts of an expert in the order gate, up, down.
  std::vector<GgufExpertTensor> parts() const;
};

struct GgufLayout {
  std::vector<std::string> files;  // all parts of a split model, in order
  std::vector<GgufLayer> layers;
  uint32_t experts_per_layer = 0;

  std::vector<uint64_t> expert_bytes() const;  // one entry a layer
};

// Reads the tensor tables. `path` is the model, or the first file (NAME-00001-of-000NN.gguf) of a split one.
Result<GgufLayout> read_gguf_layout(const std::string& path);

}  // namespace spillway
