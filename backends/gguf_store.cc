#include "backends/gguf_layout.h"
#include "backends/packed_format.h"
#include "backends/store.h"

namespace spillway {
namespace {

// A model file used in place. Nothing is known of its bytes, so reads of it cannot be checked.
class GgufStore final : public ExpertStore {
 public:
  GgufStore(GgufLayout layout, const ModelGeometry& geometry)
      : layout_(std::move(layout)), geometry_(geometry) {
    for (const GgufLayer& layer : layout_.layers) {
      parts_.push_back(layer.parts());
    }
  }

  std::span<const std::string> files() const override { return layout_.files; }

  void ranges(ExpertId id, std::vector<ByteRange>& out) const override {
    const uint64_t expert = geometry_.expert_of(id);
    for (const GgufExpertTensor& part : parts_[geometry_.layer_of(id)]) {
      out.push_back({part.file, part.offset + expert * part.bytes, part.bytes});
    }
  }

  bool can_check() const override { return false; }
  bool check(ExpertId, const ByteRange&, std::span<const std::byte>, Check) const override { return true; }

 private:
  const GgufLayout layout_;
  const ModelGeometry geometry_;
  std::vector<std::vector<GgufExpertTensor>> parts_;  // [layer]
};

}  // namespace

Result<std::unique_ptr<ExpertStore>> open_gguf_store(const std::string& path, const ModelGeometry& geometry) {
  Result<GgufLayout> layout = read_gguf_layout(path);
  if (!layout) {
    return propagate(layout);
  }
  const std::vector<uint64_t> bytes = layout->expert_bytes();
  const auto layers = uint32_t(bytes.size());
  if (layers != geometry.layers || layout->experts_per_layer != geometry.experts_per_layer) {
    return failed("{} has {}, but the trace wants {}", path,
                  describe_shape(layers, layout->experts_per_layer, bytes),
                  describe_shape(geometry.layers, geometry.experts_per_layer, geometry.expert_bytes));
  }
  for (uint32_t layer = 0; layer < layers; ++layer) {
    if (bytes[layer] != geometry.expert_bytes[layer]) {
      return failed("{} has experts of {} bytes in layer {}, but the trace wants {} bytes", path,
                    bytes[layer], layer, geometry.expert_bytes[layer]);
    }
  }
  return std::make_unique<GgufStore>(std::move(*layout), geometry);
}

}  // namespace spillway
