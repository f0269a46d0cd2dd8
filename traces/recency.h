#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <vector>

namespace spillway {

// Names an expert by its position in its layer's list of experts, most recently chosen first. Routers tend to
// repeat their recent choices, in every layer alike. The positions of all layers together therefore follow
// one steep distribution, whereas expert numbers need one table per layer to compress. On the real traces the
// positions come near the order-0 entropy of the choices or beat it, without storing a table per layer.
template <class T>  // holds an expert number: uint8_t up to 256 experts per layer, else uint16_t
class RecencyLists {
 public:
  RecencyLists(uint32_t layers, uint32_t experts_per_layer)
      : lists_(layers), experts_per_layer_(experts_per_layer) {}

  // Returns the position of `expert` and moves it to the front.
  uint32_t position_of(uint32_t layer, T expert) {
    std::vector<T>& list = list_of(layer);
    const auto position = uint32_t(std::find(list.begin(), list.end(), expert) - list.begin());
    move_to_front(list, position);
    return position;
  }

  // Returns the list itself, for move_to_front(). The list is made at the layer's first step, since a header
  // may claim more experts than memory should be allocated for.
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
