#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"

namespace spillway {

// Dense index of one expert of one layer: layer × experts_per_layer + expert. Policies keep their state in
// vectors indexed by it.
enum class ExpertId : uint32_t {};

constexpr uint32_t index_of(ExpertId id) {
  return static_cast<uint32_t>(id);
}

// The shape of a mixture-of-experts model as storage sees it.
struct ModelGeometry {
  uint32_t layers = 0;
  uint32_t experts_per_layer = 0;
  uint32_t top_k = 0;       // experts that the model was trained to use per token and layer
  uint32_t used_top_k = 0;  // experts used per token and layer in this run; smaller in reduced-K experiments
  std::vector<uint64_t> expert_bytes;  // one entry per layer; 0: the layer has no routed experts

  bool operator==(const ModelGeometry&) const = default;

  uint32_t expert_count() const { return layers * experts_per_layer; }
  ExpertId id(uint32_t layer, uint32_t expert) const { return ExpertId{layer * experts_per_layer + expert}; }
  uint32_t layer_of(ExpertId id) const { return index_of(id) / experts_per_layer; }
  uint32_t expert_of(ExpertId id) const { return index_of(id) % experts_per_layer; }
  uint64_t bytes_of(ExpertId id) const { return expert_bytes[layer_of(id)]; }

  uint64_t total_bytes() const;  // every expert of every layer
  uint64_t largest_expert_bytes() const;
  uint64_t token_cycle_bytes() const;  // bytes that one token asks for: used_top_k experts of every layer
  uint64_t largest_token_step_bytes() const;  // bytes that one token asks for in its largest layer

  // Fails on a shape that no model has: no layers, more experts used than exist, more than 2^20 experts, or
  // sizes whose sum overflows. Code that gets a validated geometry can index and add without checks.
  Result<void> validate() const;

  // Returns `L12/E37`.
  std::string name(ExpertId id) const;
  // Returns `48 layers × 128 experts, top-6 of native top-8, 2.65 MB to 3.06 MB each`.
  std::string describe() const;
};

}  // namespace spillway
