#pragma once

#include "core/step.h"

// The step flags on which encoder and decoder of a block must agree.
namespace spillway {

// Bits of Section::flags. The fields follow in this order.
inline constexpr uint8_t kPassDiffers = 1;
inline constexpr uint8_t kLayerDiffers = 2;
inline constexpr uint8_t kTokensDiffer = 4;
inline constexpr uint8_t kPhaseDiffers = 8;
inline constexpr uint8_t kSequenceDiffers = 16;
inline constexpr uint8_t kExpertsListed = 32;  // the step knows its experts but not which token chose which
inline constexpr uint8_t kNewTokenIds = 64;
inline constexpr uint8_t kNoTokenIds = 128;

// Predictors mostly look at the next layer, so an expert counted from there is a small number.
inline uint32_t relative_to_next_layer(const ModelGeometry& geometry, uint32_t layer, ExpertId id) {
  const uint32_t first = (layer + 1) % geometry.layers * geometry.experts_per_layer;
  return (index_of(id) + geometry.expert_count() - first) % geometry.expert_count();
}
inline ExpertId from_next_layer(const ModelGeometry& geometry, uint32_t layer, uint32_t relative) {
  const uint32_t first = (layer + 1) % geometry.layers * geometry.experts_per_layer;
  return ExpertId{(relative + first) % geometry.expert_count()};
}

}  // namespace spillway
