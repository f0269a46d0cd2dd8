#include "app/presets/presets.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "app/cli/json_file.h"
#include "app/cli/json_keys.h"
#include "app/presets/installed.h"
#include "app/presets/preset_schema.h"
#include "core/json.h"
#include "core/nearest.h"
#include "core/parse_json.h"
#include "core/tensor_type.h"
#include "core/text.h"
#include "host/file.h"
#include "model/kernels/kernels.h"

namespace spillway {
namespace {

namespace fs = std::filesystem;

// Sizes of experts under a name.
struct Mix {
  std::string name;
  std::vector<uint64_t> bytes;  // of each layer, or only one
  bool all_layers_alike = false;
};

// What a preset says that an expert's bytes depend on.
struct ModelFile {
  std::string default_type;  // empty: none
  ModelGeometry geometry;    // without the bytes
  uint32_t dense_layers = 0;
  uint64_t hidden = 0;      // 0: not said
  uint64_t expert_ffn = 0;  // 0: not said
  std::vector<Mix> mixes;
};

bool is_size(const Json& value) {
  return value.is_number_unsigned();
}

std::vector<Mix> read_mixes(const Json& preset, JsonKeys& keys) {
  std::vector<Mix> mixes;
  const Json listed = keys.has("expert_bytes") ? preset["expert_bytes"] : Json::object();
  for (const auto& [name, sizes] : listed.items()) {
    const Json list = sizes.is_array() ? sizes : Json::array({sizes});
    if (!listed.is_object() || list.empty() || !std::all_of(list.begin(), list.end(), is_size)) {
      keys.wanted("expert_bytes", "an object of sizes, or of lists with a size for each layer");
      return {};
    }
    mixes.push_back({name, list.get<std::vector<uint64_t>>(), !sizes.is_array()});
  }
  return mixes;
}

Result<ModelFile> model_file(const PresetFile& of) {
  const Result<Json> preset = parse_preset(of, "spillway.model/1");
  if (!preset) {
    return Unexpected(preset.error());
  }
  JsonKeys keys(*preset);
  ModelFile file;
  file.default_type = keys.text("default_type", "");
  file.geometry.layers = keys.count("layers");
  file.geometry.experts_per_layer = keys.count("experts_per_layer");
  file.geometry.top_k = keys.count("top_k");
  file.geometry.used_top_k = file.geometry.top_k;
  file.dense_layers = keys.count("dense_layers", 0);
  file.hidden = keys.count("hidden", 0);
  file.expert_ffn = keys.count("expert_ffn", 0);
  file.mixes = read_mixes(*preset, keys);
  if (keys.problem()) {
    return failed("{}: {}", of.path, keys.problem()->message);
  }
  return file;
}

struct SizedType {
  TensorType type{};
  std::string_view name;
  uint64_t expert_bytes = 0;
};

// Returns the types that the kernels take and whose blocks fill the rows of an expert: rows of `hidden`
// values in gate and up, of `expert_ffn` values in down. The type of most bits comes first.
std::vector<SizedType> fitting_types(const ModelFile& file) {
  std::vector<SizedType> fitting;
  for (const TensorTypeInfo& info : tensor_types()) {
    if (file.hidden == 0 || file.expert_ffn == 0 || !can_multiply(info.type)) {
      continue;
    }
    const Result<uint64_t> wide = row_bytes(info.type, file.hidden);
    const Result<uint64_t> narrow = row_bytes(info.type, file.expert_ffn);
    if (wide && narrow) {
      fitting.push_back({info.type, info.name, 2 * file.expert_ffn * *wide + file.hidden * *narrow});
    }
  }
  std::stable_sort(fitting.begin(), fitting.end(), [](const SizedType& one, const SizedType& other) {
    return has_fewer_bits(other.type, one.type);
  });
  return fitting;
}

// What can stand after NAME: its mixes, then the types that fit its shape.
std::string known_types(const ModelFile& file) {
  std::vector<std::string> known;
  for (const Mix& mix : file.mixes) {
    known.push_back(mix.name);
  }
  for (const SizedType& type : fitting_types(file)) {
    known.emplace_back(type.name);
  }
  return join(known, ", ");
}

Result<std::vector<uint64_t>> bytes_of_type(const ModelFile& file, const std::string& type) {
  const uint32_t layers = file.geometry.layers;
  for (const Mix& mix : file.mixes) {
    if (type == mix.name) {
      return mix.all_layers_alike ? std::vector<uint64_t>(layers, mix.bytes.front()) : mix.bytes;
    }
  }
  for (const SizedType& fitting : fitting_types(file)) {
    if (type == fitting.name) {
      return std::vector<uint64_t>(layers, fitting.expert_bytes);
    }
  }
  if (type.empty()) {
    return wrong_usage("says nothing of its experts' type; write it behind the name and a colon: {}",
                       known_types(file));
  }
  return wrong_usage("no sizes for type {}; there are: {}", type, known_types(file));
}

Result<ModelPreset> model_from(const ModelFile& file, const std::string& name, const std::string& type) {
  ModelPreset model{name, type.empty() ? file.default_type : type, file.geometry};
  if (model.geometry.layers > UINT16_MAX) {
    return failed("'layers' must be at most {}", UINT16_MAX);
  }
  Result<std::vector<uint64_t>> bytes = bytes_of_type(file, model.type);
  if (!bytes) {
    return propagate(bytes);
  }
  model.geometry.expert_bytes = std::move(*bytes);
  std::vector<uint64_t>& all = model.geometry.expert_bytes;
  std::fill_n(all.begin(), std::min<size_t>(file.dense_layers, all.size()), 0);
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

bool is_preset_path(std::string_view text) {
  return text.find('/') != std::string_view::npos || text.ends_with(".json");
}

std::string schema_of_file(const std::string& path) {
  const Result<Json> json = read_json(path, kMostDocumentBytes);
  return json ? JsonKeys(*json).text("schema", "") : "";
}

Result<PresetFile> read_preset(const std::string& kind, const std::string& name,
                               const std::string& directory) {
  if (is_preset_path(name)) {
    Result<std::string> text = read_whole(name);
    return text ? Result<PresetFile>({name, std::move(*text)}) : propagate(text);
  }
  for (const std::string& where : preset_directories(directory)) {
    const std::string path = fs::path(where) / kind / (name + ".json");
    if (Result<std::string> text = read_whole(path)) {
      return PresetFile{path, std::move(*text)};
    }
  }
  const std::vector<std::string> parts = presets_with_part(kind, name, directory);
  if (parts.size() == 1 && parts.front() != name) {
    return read_preset(kind, parts.front(), directory);
  }
  if (parts.size() == 1) {
    return failed(
        "the preset '{}' among the {} cannot be read: it is no regular file, or not this user's to read",
        name, kind);
  }
  if (parts.size() > 1) {
    return wrong_usage("'{}' is a part of several {}: {}; name one of them", name, kind, join(parts, ", "));
  }
  const std::vector<std::string> known = list_presets(kind, directory);
  if (known.empty()) {
    return wrong_usage(
        "there is no preset '{}' among the {}, and there are none at all; check $SPILLWAY_PRESETS "
        "and --presets",
        name, kind);
  }
  return wrong_usage("there is no preset '{}' among the {}{}", name, kind, meant_or_all(name, known));
}

std::vector<std::string> presets_with_part(const std::string& kind, const std::string& part,
                                           const std::string& directory) {
  std::vector<std::string> found;
  for (const std::string& name : list_presets(kind, directory)) {
    if (name == part) {
      return {name};
    }
    if (!part.empty() && (name.starts_with(part) || name.ends_with("-" + part))) {
      found.push_back(name);
    }
  }
  return found;
}

Result<Json> parse_preset(const PresetFile& file, const std::string& schema) {
  Result<Json> json = parse_json(file.contents, {.most_bytes = kMostDocumentBytes});
  if (!json) {
    return failed("{}: {}", file.path, json.error().message);
  }
  if (!schema.empty() && JsonKeys(*json).text("schema", "") != schema) {
    return failed("{}: not a JSON object of schema {}", file.path, schema);
  }
  if (Result<void> valid = check_schema(*json); !valid) {
    return failed("{}: {}", file.path, valid.error().message);
  }
  return json;
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
  Result<PresetFile> found = read_preset("models", name, directory);
  if (!found) {
    return propagate(found);
  }
  const Result<ModelFile> file = model_file(*found);
  if (!file) {
    return Unexpected(file.error());
  }
  const ModelGeometry& geometry = file->geometry;
  return fmt::format("{} layers × {} experts, top-{}; types: {}", geometry.layers, geometry.experts_per_layer,
                     geometry.top_k, known_types(*file));
}

Result<ModelPreset> load_model_preset(const std::string& text, const std::string& directory) {
  const size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  const std::string type = colon == std::string::npos ? "" : text.substr(colon + 1);
  Result<PresetFile> found = read_preset("models", name, directory);
  if (!found) {
    return propagate(found);
  }
  const Result<ModelFile> file = model_file(*found);
  if (!file) {
    return Unexpected(file.error());
  }
  Result<ModelPreset> model = model_from(*file, fs::path(name).stem(), type);
  if (!model) {
    return Unexpected(
        Error{model.error().kind, fmt::format("model preset {}: {}", text, model.error().message)});
  }
  return model;
}

}  // namespace spillway
