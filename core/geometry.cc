#include "core/geometry.h"

#include <algorithm>

#include "core/units.h"

namespace spillway {

uint64_t ModelGeometry::total_bytes() const {
  uint64_t sum = 0;
  for (const uint64_t bytes : expert_bytes) {
    sum += bytes * experts_per_layer;
  }
  return sum;
}

uint64_t ModelGeometry::largest_expert_bytes() const {
  return expert_bytes.empty() ? 0 : *std::max_element(expert_bytes.begin(), expert_bytes.end());
}

uint64_t ModelGeometry::token_cycle_bytes() const {
  uint64_t sum = 0;
  for (const uint64_t bytes : expert_bytes) {
    sum += bytes * used_top_k;
  }
  return sum;
}

uint64_t ModelGeometry::largest_token_step_bytes() const {
  return largest_expert_bytes() * used_top_k;
}

Result<void> ModelGeometry::validate() const {
  // Tables have one entry per expert, so this bounds the memory that a wrong header can claim. The largest
  // known models have some 61 × 384 experts, a fortieth of the bound.
  constexpr uint64_t kMostExperts = uint64_t(1) << 20;
  constexpr uint64_t kMostExpertBytes = uint64_t(1) << 36;
  if (layers == 0 || experts_per_layer == 0) {
    return failed("geometry has {} layers of {} experts; both must be at least 1", layers, experts_per_layer);
  }
  if (uint64_t(layers) * experts_per_layer > kMostExperts) {
    return failed("geometry has {} × {} experts; at most {} are supported", layers, experts_per_layer,
                  kMostExperts);
  }
  // Router choices are stored as 16-bit indices within a layer.
  if (experts_per_layer > 65536) {
    return failed("geometry has {} experts per layer; at most 65536 are supported", experts_per_layer);
  }
  if (used_top_k == 0 || used_top_k > top_k || top_k > experts_per_layer) {
    return failed("geometry uses {} experts of a native top-{} out of {}; each must be at most the next",
                  used_top_k, top_k, experts_per_layer);
  }
  if (expert_bytes.size() != layers) {
    return failed("geometry gives expert sizes for {} of {} layers", expert_bytes.size(), layers);
  }
  if (largest_expert_bytes() == 0) {
    return failed("geometry says that no layer has an expert with any bytes");
  }
  for (uint32_t layer = 0; layer < layers; ++layer) {
    if (expert_bytes[layer] > kMostExpertBytes) {
      return failed("geometry says an expert of layer {} has {} bytes; at most {} are supported", layer,
                    expert_bytes[layer], kMostExpertBytes);
    }
  }
  return {};
}

std::string ModelGeometry::name(ExpertId id) const {
  return fmt::format("L{}/E{}", layer_of(id), expert_of(id));
}

std::string ModelGeometry::describe() const {
  const auto [low, high] = std::minmax_element(expert_bytes.begin(), expert_bytes.end());
  const std::string k = used_top_k == top_k ? fmt::format("top-{}", top_k)
                                            : fmt::format("top-{} of native top-{}", used_top_k, top_k);
  const std::string bytes =
      *low == *high ? format_bytes(*high) : fmt::format("{} to {}", format_bytes(*low), format_bytes(*high));
  return fmt::format("{} layers × {} experts, {}, {} each", layers, experts_per_layer, k, bytes);
}

}  // namespace spillway
