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
template <class T>  // holds an expert number: uint8_t up to 256 experts per layer, else uint16_t
class RecencyLists {
 public:
  RecencyLists(uint32_t layers, uint32_t experts_per_layer)
      : lists_(layers), experts_per_layer_(experts_per_layer) {}

  // The position of `expert`, which moves to the front.
  uint32_t position_of(uint32_t layer, T expert) {
    std::vector<T>& list = list_of(layer);
    const auto position = uint32_t(std::find(list.begin(), list.end(), expert) - list.begin());
    move_to_front(list, position);
    return position;
  }

  // The list itself, for move_to_front(). It is made at the layer's first step: a header may claim more
  // experts than it would be wise to allocate for.
  std::vector<T>& list_of(uint32_t layer) {
    std::vector<T>& list = lists_[layer];
    if (list.empty()) [[unlikely]] {
      list.resize(experts_per_layer_);
      std::iota(list.begin(), list.end(), T(0));
    }
    return list;
  }

  // Returns the expert at `position`, which must be within the list.
  static T move_to_front(std::vector<T>& list, uint32_t position) {
    const T expert = list[position];
    std::memmove(list.data() + 1, list.data(), position * sizeof(T));
    list.front() = expert;
    return expert;
  }

 private:
  std::vector<std::vector<T>> lists_;
  uint32_t experts_per_layer_;
};

}  // namespace spillway
