#include "core/expects.h"
#include "stores/packed_format.h"
#include "stores/store.h"

namespace spillway {
namespace {

class RangeStore final : public ExpertStore {
 public:
  RangeStore(ExpertTables tables, const ModelGeometry& geometry)
      : tables_(std::move(tables)), geometry_(geometry) {}

  std::span<const std::string> files() const override { return tables_.files; }

  void ranges(ExpertId id, std::vector<ByteRange>& out) const override {
    const uint64_t expert = geometry_.expert_of(id);
    for (const ExpertTable& part : tables_.layers[geometry_.layer_of(id)]) {
      out.push_back({part.file, part.offset + expert * part.bytes, part.bytes});
    }
  }

  bool can_check() const override { return false; }
  bool check(ExpertId, const ByteRange&, std::span<const std::byte>, Check) const override { return true; }

 private:
  const ExpertTables tables_;
  const ModelGeometry geometry_;
};

std::vector<uint64_t> expert_bytes(const ExpertTables& tables) {
  std::vector<uint64_t> bytes;
  for (const std::vector<ExpertTable>& parts : tables.layers) {
    uint64_t sum = 0;
    for (const ExpertTable& part : parts) {
      Expects(part.file < tables.files.size());
      sum += part.bytes;
    }
    bytes.push_back(sum);
  }
  return bytes;
}

}  // namespace

Result<std::unique_ptr<ExpertStore>> make_range_store(ExpertTables tables, const ModelGeometry& geometry) {
  Expects(!tables.files.empty());
  const std::string& path = tables.files.front();
  const std::vector<uint64_t> bytes = expert_bytes(tables);
  const auto layers = uint32_t(bytes.size());
  if (layers != geometry.layers || tables.experts_per_layer != geometry.experts_per_layer) {
    return failed("{} has {}, but the trace needs {}", path,
                  describe_shape(layers, tables.experts_per_layer, bytes),
                  describe_shape(geometry.layers, geometry.experts_per_layer, geometry.expert_bytes));
  }
  for (uint32_t layer = 0; layer < layers; ++layer) {
    if (bytes[layer] != geometry.expert_bytes[layer]) {
      return failed("{} has experts of {} bytes in layer {}, but the trace needs {} bytes", path,
                    bytes[layer], layer, geometry.expert_bytes[layer]);
    }
  }
  return std::make_unique<RangeStore>(std::move(tables), geometry);
}

}  // namespace spillway
