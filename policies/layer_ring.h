#pragma once

#include <cstdint>
#include <vector>

#include "core/geometry.h"

namespace spillway {

// The layers that have routed experts, as a ring: the last is followed by the first, for the next token.
class LayerRing {
 public:
  explicit LayerRing(const ModelGeometry& geometry) {
    for (uint32_t layer = 0; layer < geometry.layers; ++layer) {
      places_.push_back(uint32_t(layers_.size()));
      if (geometry.expert_bytes[layer] > 0) {
        layers_.push_back(layer);
      }
    }
  }

  uint32_t size() const { return uint32_t(layers_.size()); }

  // Returns the routed layer that comes `distance` routed layers after the routed layer `layer`.
  uint32_t after(uint32_t layer, uint32_t distance = 1) const {
    return layers_[(places_[layer] + distance) % layers_.size()];
  }

 private:
  std::vector<uint32_t> layers_;  // at least one layer, which every valid geometry has
  std::vector<uint32_t> places_;  // index in layers_, by layer; unused for dense layers
};

}  // namespace spillway
