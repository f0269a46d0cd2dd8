#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <vector>

namespace spillway {

// Names an expert by its position in its layer's list of experts, most recently chosen first. Routers choose
// again what they chose lately, and they do so in every layer alike: the positions of all layers together
// follow one steep distribution, whereas the expert numbers need one table per layer to compress. On the real
// traces this beats the order-0 entropy of the choices or comes near it, without storing a table per layer.
class RecencyLists {
 public:
  RecencyLists(uint32_t layers, uint32_t experts_per_layer)
      : lists_(layers), experts_per_layer_(experts_per_layer) {}

  // The position of `expert`, which moves to the front.
  uint32_t position_of(uint32_t layer, uint16_t expert) {
    std::vector<uint16_t>& list = list_of(layer);
    const auto position = uint32_t(std::find(list.begin(), list.end(), expert) - list.begin());
    move_to_front(list, position);
    return position;
  }

  // The expert at `position` < experts_per_layer, which moves to the front.
  uint16_t expert_at(uint32_t layer, uint32_t position) {
    std::vector<uint16_t>& list = list_of(layer);
    move_to_front(list, position);
    return list.front();
  }

 private:
  // Made at the layer's first step: a header may claim more experts than it would be wise to allocate for.
  std::vector<uint16_t>& list_of(uint32_t layer) {
    std::vector<uint16_t>& list = lists_[layer];
    if (list.empty()) [[unlikely]] {
      list.resize(experts_per_layer_);
      std::iota(list.begin(), list.end(), uint16_t(0));
    }
    return list;
  }

  static void move_to_front(std::vector<uint16_t>& list, uint32_t position) {
    const uint16_t expert = list[position];
    std::memmove(list.data() + 1, list.data(), position * sizeof(uint16_t));
    list.front() = expert;
  }

  std::vector<std::vector<uint16_t>> lists_;
  uint32_t experts_per_layer_;
};

}  // namespace spillway
