#include <algorithm>
#include <array>

#include "host/file.h"
#include "traces/import/import.h"

namespace spillway {

std::span<const Importer> importers() {
  static const std::array<Importer, 4> list = {csv_importer(), bigmoe_importer(), warp_importer(),
                                               oracle_general_importer()};
  return list;
}

Result<const Importer*> find_importer(const std::string& name, const std::string& path) {
  std::string known;
  for (const Importer& importer : importers()) {
    if (importer.name == name) {
      return &importer;
    }
    known += known.empty() ? importer.name : ", " + importer.name;
  }
  if (!name.empty()) {
    return wrong_usage("there is no trace format '{}'; there are: {}", name, known);
  }
  Result<InputFile> file = InputFile::open(path);
  if (!file) {
    return propagate(file);
  }
  std::string start(64 * 1024, '\0');
  Result<size_t> got = file->read_at(0, {reinterpret_cast<uint8_t*>(start.data()), start.size()});
  if (!got) {
    return propagate(got);
  }
  start.resize(*got);
  if (looks_like_trace(start)) {
    return failed("{}: is a Spillway trace already; nothing to import", path);
  }
  for (const Importer& importer : importers()) {
    if (importer.recognises(start, file->size())) {
      return &importer;
    }
  }
  return failed("{}: of no known format; if you know it, say so with --from ({})", path, known);
}

Result<void> check_same_shape(const std::string& path, const ImportOptions& options,
                              const ModelGeometry& found) {
  const uint32_t layers = options.layers.value_or(found.layers);
  const uint32_t experts = options.experts_per_layer.value_or(found.experts_per_layer);
  const uint32_t top_k = options.used_top_k.value_or(found.used_top_k);
  if (layers != found.layers || experts != found.experts_per_layer || top_k != found.used_top_k) {
    return failed(
        "{}: has {} layers of {} experts, of which a token uses {}; the options or the preset say {}, {} and "
        "{}",
        path, found.layers, found.experts_per_layer, found.used_top_k, layers, experts, top_k);
  }
  return {};
}

Result<std::vector<uint64_t>> expert_bytes_per_layer(const std::string& path, const ImportOptions& options,
                                                     const std::vector<bool>& has_experts) {
  if (options.expert_bytes.empty()) {
    return wrong_usage("{}: does not say how large an expert is; give --expert-bytes SIZE or --model PRESET",
                       path);
  }
  const size_t layers = has_experts.size();
  if (options.expert_bytes.size() == 1) {
    std::vector<uint64_t> bytes(layers);
    std::transform(has_experts.begin(), has_experts.end(), bytes.begin(),
                   [&](bool has) { return has ? options.expert_bytes.front() : 0; });
    return bytes;
  }
  if (options.expert_bytes.size() != layers) {
    return wrong_usage("{}: has {} layers, but the expert sizes given are for {}", path, layers,
                       options.expert_bytes.size());
  }
  return options.expert_bytes;
}

}  // namespace spillway
