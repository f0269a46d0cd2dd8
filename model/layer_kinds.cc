#include "model/layer_kinds.h"

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

  const std::vector<LayerKind>& kinds() const { return kinds_; }

 private:
  const Gguf& gguf_;
  std::vector<LayerKind> kinds_;
};

}  // namespace

Result<std::vector<LayerKind>> layer_kinds(const Gguf& gguf, uint32_t layers, uint32_t full_every) {
  constexpr std::string_view kPattern = "attention.sliding_window_pattern";
  constexpr std::string_view kRecurrent = "attention.recurrent_layers";
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
  if (marked && *state != 0) {
    marked = marker.find(kRecurrent) != nullptr
                 ? marker.mark_listed(kRecurrent, LayerKind::recurrent)
                 : marker.mark_all_but_every("full_attention_interval", kUsualInterval, LayerKind::recurrent);
  }
  return marked ? Result<std::vector<LayerKind>>(marker.kinds()) : propagate(marked);
}

}  // namespace spillway
