#include "app/presets/plan_presets.h"

#include <algorithm>

#include "app/cli/json_file.h"
#include "app/cli/json_keys.h"
#include "app/presets/presets.h"
#include "core/json.h"
#include "core/parse_json.h"
#include "core/units.h"

namespace spillway {
namespace {

// Loads the preset `kind`/`name`, checks it against `schema`, and has `read` fill in a T. Every error begins
// with the path of the file.
template <class T, class Read>
Result<T> load(const std::string& kind, const std::string& name, const std::string& schema,
               const std::string& directory, Read read) {
  Result<PresetFile> file = read_preset(kind, name, directory);
  if (!file) {
    return propagate(file);
  }
  const Result<Json> json = parse_preset(*file, schema);
  if (!json) {
    return Unexpected(json.error());
  }
  JsonKeys keys(*json);
  T value;
  const Result<void> sane = read(keys, value);
  if (keys.problem() || !sane) {
    return failed("{}: {}", file->path, keys.problem() ? keys.problem()->message : sane.error().message);
  }
  return value;
}

plan::Attention read_attention(JsonKeys keys) {
  plan::Attention attention;
  attention.heads = keys.count("heads");
  attention.head_size = keys.count("head_size");
  attention.kv_heads = keys.count("kv_heads", 0);
  attention.gated = keys.flag("gated", false);
  attention.key_value = keys.flag("key_value", false);
  attention.latent = keys.count("latent", 0);
  attention.query_rank = keys.count("query_rank", 0);
  attention.rope_size = keys.count("rope_size", 0);
  attention.value_size = keys.count("value_size", 0);
  return attention;
}

plan::LinearAttention read_linear(JsonKeys keys) {
  return {keys.count("key_heads"), keys.count("value_heads"), keys.count("head_size"), keys.count("kernel")};
}

Result<void> read_shape(JsonKeys& keys, plan::ModelShape& shape) {
  shape.name = keys.text("name");
  shape.layers = keys.count("layers");
  shape.hidden = keys.count("hidden");
  shape.vocabulary = keys.count("vocabulary");
  shape.tied_head = keys.flag("tied_head", false);
  shape.dense_layers = keys.count("dense_layers", 0);
  shape.dense_ffn = keys.count("dense_ffn", 0);
  shape.experts = keys.count("experts_per_layer");
  shape.top_k = keys.count("top_k");
  shape.expert_ffn = keys.count("expert_ffn");
  shape.expert_bias = keys.flag("expert_bias", false);
  shape.shared_ffn = keys.count("shared_ffn", 0);
  shape.full_every = keys.count("full_attention_every", 1);
  shape.attention = read_attention(keys.child("attention"));
  if (keys.has("linear_attention")) {
    shape.linear = read_linear(keys.child("linear_attention"));
  }
  if (keys.has("window")) {
    shape.window = keys.child("window").count("tokens");
    shape.window_attention = read_attention(keys.child("window"));
  }
  return shape.validate();
}

Result<void> read_model(JsonKeys& keys, ModelShapePreset& preset) {
  const Result<void> sane = read_shape(keys, preset.shape);
  preset.architecture = keys.text("architecture", "");
  preset.locality = keys.text("locality");
  JsonKeys parameters = keys.child("parameters");
  preset.total_parameters = parameters.large_count("total");
  preset.active_parameters = parameters.large_count("active");
  return sane;
}

Result<void> read_machine(JsonKeys& keys, MachinePreset& preset) {
  plan::Machine& machine = preset.machine;
  machine.name = keys.text("name");
  machine.summary = keys.text("summary");
  for (const std::string& option : keys.texts("memory")) {
    Result<uint64_t> size = parse_memory(option);
    if (!size) {
      return propagate(size);
    }
    machine.memory_options.push_back(*size);
  }
  if (machine.memory_options.empty() ||
      !std::is_sorted(machine.memory_options.begin(), machine.memory_options.end())) {
    return failed("'memory' must be a list of sizes in ascending order");
  }
  machine.memory = machine.memory_options.front();
  machine.reserved = keys.size("reserved");
  machine.bandwidth = keys.rate("bandwidth");
  machine.memory_share = keys.range("memory_share");
  machine.arithmetic = keys.range("arithmetic");
  const plan::Range launch_us = keys.range("launch_us");
  machine.launch_s = {launch_us.low / 1e6, launch_us.central / 1e6, launch_us.high / 1e6};
  machine.attention_rate = keys.range("attention_rate");
  machine.copy_rate = keys.rate("copy_rate");
  machine.drive = keys.text("drive", "");
  preset.resident_runtime = keys.text("resident_runtime");
  preset.streaming_runtime = keys.text("streaming_runtime");
  preset.memory_price_per_gb = keys.real("memory_price_usd_per_gb");
  if (machine.memory_share.low <= 0 || machine.arithmetic.low <= 0 || machine.launch_s.low <= 0 ||
      machine.attention_rate.low <= 0) {
    return failed("'memory_share', 'arithmetic', 'launch_us' and 'attention_rate' must be above 0");
  }
  return {};
}

Result<void> read_drive(JsonKeys& keys, plan::Drive& drive) {
  drive.name = keys.text("name");
  drive.bandwidth = keys.rate("bandwidth");
  drive.latency_s = keys.duration_s("latency");
  drive.price = keys.real("price_usd");
  return {};
}

Result<void> read_runtime(JsonKeys& keys, plan::Runtime& runtime) {
  runtime.name = keys.text("name");
  runtime.streams = keys.flag("streams", false);
  runtime.launch_factor = keys.range("launch_factor");
  runtime.drive_share = keys.range("drive_share");
  runtime.hidden = keys.range("hidden");
  const std::string path = keys.text("path");
  runtime.path = path == "page_cache" ? plan::ReadPath::page_cache : plan::ReadPath::direct;
  if (path != "page_cache" && path != "direct") {
    return failed("'path' must be direct or page_cache");
  }
  if (runtime.drive_share.low <= 0 || runtime.launch_factor.low <= 0 || runtime.hidden.high > 1) {
    return failed("'drive_share' and 'launch_factor' must be above 0, and 'hidden' at most 1");
  }
  return {};
}

Result<void> read_locality(JsonKeys& keys, plan::LocalityProfile& profile) {
  profile.name = keys.text("name");
  profile.miss_spread = keys.range("miss_spread");
  for (const Json& point : keys.list("points")) {
    if (!point.is_array() || point.size() != 2 || !point[0].is_number() || !point[1].is_number()) {
      return failed("'points' must be a list of pairs: a share of the experts and the hit ratio");
    }
    profile.points.push_back({point[0].get<double>(), point[1].get<double>()});
  }
  return profile.validate();
}

}  // namespace

Result<ModelShapePreset> load_model_shape(const std::string& name, const std::string& directory) {
  return load<ModelShapePreset>("models", name, "spillway.model/1", directory, read_model);
}

Result<MachinePreset> load_machine(const std::string& name, const std::string& directory) {
  return load<MachinePreset>("machines", name, kMachineSchema, directory, read_machine);
}

Result<plan::Drive> load_drive(const std::string& name, const std::string& directory) {
  return load<plan::Drive>("drives", name, kDriveSchema, directory, read_drive);
}

Result<plan::Runtime> load_runtime(const std::string& name, const std::string& directory) {
  return load<plan::Runtime>("runtimes", name, "spillway.runtime/1", directory, read_runtime);
}

Result<plan::LocalityProfile> load_locality(const std::string& name, const std::string& directory) {
  return load<plan::LocalityProfile>("locality", name, "spillway.locality/1", directory, read_locality);
}

uint32_t full_attention_every(std::string_view architecture, const std::string& directory) {
  for (const std::string& name : list_presets("models", directory)) {
    const Result<ModelShapePreset> preset = load_model_shape(name, directory);
    const bool is_of = preset && !architecture.empty() && preset->architecture == architecture;
    if (is_of && preset->shape.window != 0) {
      return preset->shape.full_every;
    }
  }
  return 1;
}

std::string describe_preset(const std::string& kind, const std::string& name, const std::string& directory) {
  const Result<PresetFile> file = read_preset(kind, name, directory);
  const Result<Json> json = file ? parse_preset(*file) : Result<Json>(Unexpected(file.error()));
  if (!json) {
    return "not usable: " + json.error().message;
  }
  JsonKeys keys(*json);
  return keys.text("summary", keys.text("source", "(no summary)"));
}

Result<uint64_t> parse_memory(const std::string& text) {
  constexpr uint64_t kLeast = 64 * kMiB;  // no machine of this field has less
  const size_t unit = text.find_first_not_of("0123456789. ");
  std::string binary = text;
  if (unit != std::string::npos && text.find_first_of("iI", unit) == std::string::npos) {
    binary.insert(unit + 1, "i");  // memory is sold in powers of 1024, whatever its letters say
  }
  Result<Bytes> size = parse_bytes(binary);
  if (!size || size->count == 0) {
    return wrong_usage("'{}' is not an amount of memory; give an amount such as 36GB", text);
  }
  if (size->count < kLeast) {
    return wrong_usage("'{}' is {} bytes of memory; {}", text, size->count,
                       unit == std::string::npos ? fmt::format("{}GB was probably meant", text)
                                                 : "give an amount such as 36GB");
  }
  return size->count;
}

}  // namespace spillway
