#include "traces/import/header.h"

namespace spillway {
namespace {

Result<void> check_same_shape(const std::string& path, const ImportOptions& options,
                              const ModelGeometry& found) {
  const uint32_t layers = options.layers.value_or(found.layers);
  const uint32_t experts = options.experts_per_layer.value_or(found.experts_per_layer);
  const uint32_t top_k = options.used_top_k.value_or(found.used_top_k);
  if (layers != found.layers || experts != found.experts_per_layer || top_k != found.used_top_k) {
    return failed(
        "{}: has {} layers of {} experts, and a token uses {}; the options or the preset say {} layers, "
        "{} experts and {}; leave them out or name the right preset",
        path, found.layers, found.experts_per_layer, found.used_top_k, layers, experts, top_k);
  }
  return {};
}

}  // namespace

Result<std::vector<uint64_t>> expert_bytes_per_layer(const std::string& path, const ImportOptions& options,
                                                     const ToldBytes& told) {
  const std::vector<uint64_t>& given = options.expert_bytes;
  if (given.size() > 1) {
    if (given.size() != told.size()) {
      return wrong_usage("{}: has {} layers, but there are {} expert sizes; give one size, or one per layer",
                         path, told.size(), given.size());
    }
    return given;
  }
  std::vector<uint64_t> bytes;
  for (size_t layer = 0; layer < told.size(); ++layer) {
    if (told[layer] && (given.empty() || *told[layer] == 0)) {
      bytes.push_back(*told[layer]);
    } else if (!given.empty()) {
      bytes.push_back(given.front());
    } else {
      return wrong_usage(
          "{}: does not say how large an expert of layer {} is; give --expert-bytes SIZE or --model PRESET",
          path, layer);
    }
  }
  return bytes;
}

Result<void> complete_geometry(const std::string& path, const ImportOptions& options, const ToldBytes& told,
                               ModelGeometry& geometry) {
  if (Result<void> same = check_same_shape(path, options, geometry); !same) {
    return same;
  }
  Result<std::vector<uint64_t>> bytes = expert_bytes_per_layer(path, options, told);
  if (!bytes) {
    return propagate(bytes);
  }
  geometry.expert_bytes = std::move(*bytes);
  geometry.top_k = options.native_top_k.value_or(geometry.top_k);
  if (Result<void> valid = geometry.validate(); !valid) {
    return failed("{}: {}", path, valid.error().message);
  }
  return {};
}

void note_source(const std::string& format, const std::string& path, TraceHeader& header) {
  header.provenance.emplace_back("format", format);
  header.provenance.emplace_back("source", file_name(path));
}

std::string file_name(std::string_view path) {
  return std::string(path.substr(path.find_last_of('/') + 1));
}

}  // namespace spillway
