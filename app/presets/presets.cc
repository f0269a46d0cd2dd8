#include "app/presets/presets.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "app/presets/installed.h"
#include "core/json.h"
#include "core/tensor_type.h"
#include "host/file.h"
#include "model/kernels/kernels.h"

namespace spillway {
namespace {

namespace fs = std::filesystem;

std::string text_of(const Json& preset, const char* key) {
  const auto found = preset.find(key);
  return found != preset.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Reads a whole number. Users write presets too, so a missing or malformed key is reported as their error.
Result<uint64_t> number_of(const Json& preset, const char* key) {
  const auto found = preset.find(key);
  if (found == preset.end() || !found->is_number_unsigned() || found->get<uint64_t>() > UINT32_MAX) {
    return failed("'{}' must be a whole number", key);
  }
  return found->get<uint64_t>();
}

// Returns the expert size of each layer of a mix that the preset lists: `sizes` is one number or one
// per layer.
Result<std::vector<uint64_t>> listed_bytes(const Json& sizes, uint32_t layers) {
  if (sizes.is_number_unsigned()) {
    return std::vector<uint64_t>(layers, sizes.get<uint64_t>());
  }
  std::vector<uint64_t> bytes;
  for (const Json& size : sizes) {
    if (!size.is_number_unsigned()) {
      return failed("'expert_bytes' must be a size or a list of sizes, one for each layer");
    }
    bytes.push_back(size.get<uint64_t>());
  }
  return bytes;
}

struct SizedType {
  TensorType type{};
  std::string_view name;
  uint64_t expert_bytes = 0;
};

// Returns the types that the kernels take and whose blocks fill the rows of an expert: rows of `hidden`
// values in gate and up, of `ffn` values in down. The type of most bits comes first.
std::vector<SizedType> fitting_types(const Result<uint64_t>& hidden, const Result<uint64_t>& ffn) {
  std::vector<SizedType> fitting;
  for (const TensorTypeInfo& info : tensor_types()) {
    if (!hidden || !ffn || !can_multiply(info.type)) {
      continue;
    }
    const Result<uint64_t> wide = row_bytes(info.type, *hidden);
    const Result<uint64_t> narrow = row_bytes(info.type, *ffn);
    if (wide && narrow) {
      fitting.push_back({info.type, info.name, 2 * *ffn * *wide + *hidden * *narrow});
    }
  }
  std::stable_sort(fitting.begin(), fitting.end(), [](const SizedType& one, const SizedType& other) {
    return has_fewer_bits(other.type, one.type);
  });
  return fitting;
}

// Lists the types that may follow NAME and a colon: first the preset's mixes, then the types that fit
// its shape.
std::string known_types(const Json& preset) {
  std::string known;
  if (const auto listed = preset.find("expert_bytes"); listed != preset.end() && listed->is_object()) {
    for (const auto& [mix, sizes] : listed->items()) {
      known += (known.empty() ? "" : ", ") + mix;
    }
  }
  for (const SizedType& type : fitting_types(number_of(preset, "hidden"), number_of(preset, "expert_ffn"))) {
    known += (known.empty() ? "" : ", ") + std::string(type.name);
  }
  return known;
}

Result<std::vector<uint64_t>> bytes_of_type(const Json& preset, const std::string& type, uint32_t layers) {
  const auto listed = preset.find("expert_bytes");
  const bool has_mixes = listed != preset.end() && listed->is_object();
  if (has_mixes && listed->contains(type)) {
    return listed_bytes((*listed)[type], layers);
  }
  const Result<uint64_t> hidden = number_of(preset, "hidden");
  const Result<uint64_t> ffn = number_of(preset, "expert_ffn");
  for (const SizedType& fitting : fitting_types(hidden, ffn)) {
    if (type == fitting.name) {
      return std::vector<uint64_t>(layers, fitting.expert_bytes);
    }
  }
  if (type.empty()) {
    return wrong_usage("has no default type for its experts; write a type after the name and a colon: {}",
                       known_types(preset));
  }
  return wrong_usage("no expert sizes for type {}; available types: {}", type, known_types(preset));
}

Result<ModelPreset> model_from_json(const Json& preset, const std::string& name, const std::string& type) {
  if (!preset.is_object() || text_of(preset, "schema") != "spillway.model/1") {
    return failed("not a JSON object of schema spillway.model/1");
  }
  ModelPreset model{name, type, {}};
  if (type.empty()) {
    model.type = text_of(preset, "default_type");
  }
  const std::pair<const char*, uint32_t*> fields[] = {
      {"layers", &model.geometry.layers},
      {"experts_per_layer", &model.geometry.experts_per_layer},
      {"top_k", &model.geometry.top_k}};
  for (const auto& [key, value] : fields) {
    Result<uint64_t> number = number_of(preset, key);
    if (!number) {
      return propagate(number);
    }
    *value = uint32_t(*number);
  }
  model.geometry.used_top_k = model.geometry.top_k;
  if (model.geometry.layers > UINT16_MAX) {
    return failed("'layers' must be at most {}", UINT16_MAX);
  }
  Result<std::vector<uint64_t>> bytes = bytes_of_type(preset, model.type, model.geometry.layers);
  if (!bytes) {
    return propagate(bytes);
  }
  model.geometry.expert_bytes = std::move(*bytes);
  if (preset.contains("dense_layers")) {
    Result<uint64_t> dense = number_of(preset, "dense_layers");
    if (!dense) {
      return propagate(dense);
    }
    std::fill_n(model.geometry.expert_bytes.begin(), std::min<uint64_t>(*dense, model.geometry.layers), 0);
  }
  if (Result<void> valid = model.geometry.validate(); !valid) {
    return propagate(valid);
  }
  return model;
}

}  // namespace

std::vector<std::string> preset_directories(const std::string& directory) {
  std::vector<std::string> list;
  if (!directory.empty()) {
    list.push_back(directory);
  }
  if (const char* given = std::getenv("SPILLWAY_PRESETS"); given != nullptr && *given != '\0') {
    list.emplace_back(given);
  }
  list.push_back(installed_folder("presets"));
  return list;
}

Result<std::string> read_preset(const std::string& kind, const std::string& name,
                                const std::string& directory) {
  // A name with a slash is refused, so that it cannot lead out of the preset directories.
  if (name.find('/') == std::string::npos) {
    for (const std::string& where : preset_directories(directory)) {
      if (Result<std::string> text = read_whole(fs::path(where) / kind / (name + ".json"))) {
        return std::move(*text);
      }
    }
  }
  std::string known;
  for (const std::string& one : list_presets(kind, directory)) {
    known += (known.empty() ? "" : ", ") + one;
  }
  return wrong_usage("there is no preset '{}' among the {}; available: {}", name, kind,
                     known.empty() ? "none (check $SPILLWAY_PRESETS and --presets)" : known);
}

std::vector<std::string> list_presets(const std::string& kind, const std::string& directory) {
  std::vector<std::string> names;
  for (const std::string& where : preset_directories(directory)) {
    std::error_code problem;
    for (const fs::directory_entry& entry : fs::directory_iterator(fs::path(where) / kind, problem)) {
      if (entry.path().extension() == ".json") {
        names.push_back(entry.path().stem().string());
      }
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

Result<std::string> describe_model_preset(const std::string& name, const std::string& directory) {
  Result<std::string> contents = read_preset("models", name, directory);
  if (!contents) {
    return propagate(contents);
  }
  const Json preset = Json::parse(*contents, nullptr, false);
  if (!preset.is_object() || text_of(preset, "schema") != "spillway.model/1") {
    return failed("not a JSON object of schema spillway.model/1");
  }
  std::vector<uint64_t> numbers;
  for (const char* key : {"layers", "experts_per_layer", "top_k"}) {
    Result<uint64_t> number = number_of(preset, key);
    if (!number) {
      return propagate(number);
    }
    numbers.push_back(*number);
  }
  return fmt::format("{} layers × {} experts, top-{}; types: {}", numbers[0], numbers[1], numbers[2],
                     known_types(preset));
}

Result<ModelPreset> load_model_preset(const std::string& text, const std::string& directory) {
  const size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  const std::string type = colon == std::string::npos ? "" : text.substr(colon + 1);
  Result<std::string> contents = read_preset("models", name, directory);
  if (!contents) {
    return propagate(contents);
  }
  Result<ModelPreset> model = model_from_json(Json::parse(*contents, nullptr, false), name, type);
  if (!model) {
    return Unexpected(
        Error{model.error().kind, fmt::format("model preset {}: {}", text, model.error().message)});
  }
  return model;
}

}  // namespace spillway
