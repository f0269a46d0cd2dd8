#include "model/layer_kinds.h"

#include <algorithm>
#include <string>
#include <variant>

namespace spillway {
namespace {

// Marks layers with a kind by the keys of the file's architecture.
class Marker {
 public:
  Marker(const Gguf& gguf, uint32_t layers) : gguf_(gguf), kinds_(layers, LayerKind::full) {}

  const GgufValue* find(std::string_view name) const {
    const Result<std::string> key = gguf_.metadata().arch_key(name);
    return key ? gguf_.metadata().find(*key) : nullptr;
  }

  Result<uint32_t> number(std::string_view name, uint32_t otherwise) const {
    Result<std::string> key = gguf_.metadata().arch_key(name);
    return key ? gguf_.metadata().integer<uint32_t>(*key, otherwise) : propagate(key);
  }

  // Marks the layers whose entry in the list `name` is not 0.
  Result<void> mark_listed(std::string_view name, LayerKind kind) {
    const std::string key = *gguf_.metadata().arch_key(name);
    Result<std::vector<uint32_t>> listed = gguf_.metadata().integers<uint32_t>(key);
    if (!listed) {
      return propagate(listed);
    }
    if (listed->size() < kinds_.size()) {
      return failed("{}: {} has {} entries for {} layers", gguf_.path(), key, listed->size(), kinds_.size());
    }
    for (size_t layer = 0; layer < kinds_.size(); ++layer) {
      kinds_[layer] = (*listed)[layer] != 0 ? kind : kinds_[layer];
    }
    return {};
  }

  // Marks all layers but every n-th, where the key `name` is n.
  Result<void> mark_all_but_every(std::string_view name, uint32_t otherwise, LayerKind kind) {
    Result<uint32_t> every = number(name, otherwise);
    if (!every) {
      return propagate(every);
    }
    if (*every == 0) {
      return failed("{}: {} is 0", gguf_.path(), *gguf_.metadata().arch_key(name));
    }
    for (size_t layer = 0; layer < kinds_.size(); ++layer) {
      kinds_[layer] = (layer + 1) % *every != 0 ? kind : kinds_[layer];
    }
    return {};
  }

  // Returns true if the key `name` is a list with a 0 in it.
  bool lists_zeros(std::string_view name) const {
    const GgufValue* value = find(name);
    if (value == nullptr || !std::holds_alternative<NumberArray>(*value)) {
      return false;
    }
    const Result<std::vector<uint32_t>> listed =
        gguf_.metadata().integers<uint32_t>(*gguf_.metadata().arch_key(name));
    return listed && std::find(listed->begin(), listed->end(), 0U) != listed->end();
  }

  // Marks the layers whose entry in the list `name` is 0.
  Result<void> mark_zeros(std::string_view name, LayerKind kind) {
    for (size_t layer = 0; layer < kinds_.size(); ++layer) {
      const Result<uint32_t> entry =
          gguf_.metadata().of_layer<uint32_t>(*gguf_.metadata().arch_key(name), layer);
      if (!entry) {
        return Unexpected(entry.error());
      }
      kinds_[layer] = *entry == 0 ? kind : kinds_[layer];
    }
    return {};
  }

  const std::vector<LayerKind>& kinds() const { return kinds_; }

 private:
  const Gguf& gguf_;
  std::vector<LayerKind> kinds_;
};

}  // namespace

Result<std::vector<LayerKind>> layer_kinds(const Gguf& gguf, uint32_t layers, uint32_t full_every) {
  constexpr std::string_view kPattern = "attention.sliding_window_pattern";
  constexpr std::string_view kRecurrent = "attention.recurrent_layers";
  constexpr std::string_view kInterval = "full_attention_interval";
  constexpr std::string_view kKeyHeads = "attention.head_count_kv";
  constexpr uint32_t kUsualInterval = 4;
  Marker marker(gguf, layers);
  const Result<uint32_t> window = marker.number("attention.sliding_window", 0);
  const Result<uint32_t> state = marker.number("ssm.state_size", 0);
  if (!window || !state) {
    return Unexpected(window ? state.error() : window.error());
  }
  Result<void> marked;
  if (*window != 0) {
    const GgufValue* pattern = marker.find(kPattern);
    marked = pattern != nullptr && std::holds_alternative<NumberArray>(*pattern)
                 ? marker.mark_listed(kPattern, LayerKind::window)
                 : marker.mark_all_but_every(kPattern, full_every, LayerKind::window);
  }
  const bool says_interval = marker.find(kInterval) != nullptr;
  if (marked && marker.find(kRecurrent) != nullptr && *state != 0) {
    marked = marker.mark_listed(kRecurrent, LayerKind::recurrent);
  } else if (marked && !says_interval && marker.lists_zeros(kKeyHeads)) {
    marked = marker.mark_zeros(kKeyHeads, LayerKind::recurrent);
  } else if (marked && *state != 0) {
    marked = marker.mark_all_but_every(kInterval, kUsualInterval, LayerKind::recurrent);
  }
  return marked ? Result<std::vector<LayerKind>>(marker.kinds()) : propagate(marked);
}

}  // namespace spillway
