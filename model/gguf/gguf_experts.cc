#include "model/gguf/gguf_experts.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

namespace spillway {
namespace {

constexpr uint32_t kMostLayers = 65536;
constexpr uint64_t kMostExperts = 65536;

// The parts of the name `blk.L.ffn_KIND_exps.weight` of an expert tensor.
struct ExpertName {
  uint32_t layer = 0;
  ExpertPart part{};
};

std::optional<ExpertPart> part_named(std::string_view kind) {
  constexpr std::array<std::pair<std::string_view, ExpertPart>, 4> kParts = {
      {{"gate", ExpertPart::gate},
       {"up", ExpertPart::up},
       {"gate_up", ExpertPart::gate_up},
       {"down", ExpertPart::down}}};
  for (const auto& [name, part] : kParts) {
    if (name == kind) {
      return part;
    }
  }
  return std::nullopt;
}

std::optional<ExpertName> expert_name(std::string_view name) {
  constexpr std::string_view kPrefix = "ffn_";
  constexpr std::string_view kSuffix = "_exps.weight";
  auto [layer, kind] = parse_tensor_name(name);
  if (!layer || !kind.starts_with(kPrefix)) {
    return std::nullopt;
  }
  kind.remove_prefix(kPrefix.size());
  if (!kind.ends_with(kSuffix)) {
    return std::nullopt;
  }
  kind.remove_suffix(kSuffix.size());
  const std::optional<ExpertPart> part = part_named(kind);
  return part ? std::optional(ExpertName{*layer, *part}) : std::nullopt;
}

// The numbers of blocks that the keys give: all, and those that decoding runs. The last blocks may predict
// further tokens; decoding leaves these out.
struct Blocks {
  uint32_t count = 0;
  uint32_t run = 0;
};

Result<std::optional<Blocks>> blocks_by_keys(const Gguf& gguf) {
  const GgufMetadata& keys = gguf.metadata();
  const Result<std::string> key = keys.arch_key("block_count");
  if (!key || !keys.has(*key)) {
    return std::nullopt;
  }
  const Result<uint32_t> count = keys.integer<uint32_t>(*key);
  const Result<uint32_t> further = keys.integer<uint32_t>(*keys.arch_key("nextn_predict_layers"), 0U);
  if (!count || !further) {
    return Unexpected(count ? further.error() : count.error());
  }
  if (*further >= *count || *count > kMostLayers) {
    return failed("{}: {} is {}, and {} of these blocks predict further tokens; 1 to {} layers must remain",
                  gguf.path(), *key, *count, *further, kMostLayers);
  }
  return Blocks{*count, *count - *further};
}

Result<void> add_part(const Gguf& gguf, const GgufTensor& tensor, const ExpertName& name,
                      GgufExperts& experts) {
  if (name.layer >= kMostLayers || tensor.dims[3] != 1 || tensor.dims[2] > kMostExperts) {
    return failed("{}: expert tensor {} ({}) has an impossible layer or shape", gguf.files()[tensor.file],
                  tensor.name, describe_dims(tensor.dims));
  }
  if (experts.layers.size() <= name.layer) {
    experts.layers.resize(name.layer + 1);
  }
  // Names such as blk.07 and blk.7 differ but mean the same layer, so the parts are compared, not the names.
  std::vector<GgufExpertTensor>& parts = experts.layers[name.layer];
  for (const GgufExpertTensor& other : parts) {
    if (other.part == name.part) {
      return failed("{}: tensor {} is the second of its kind in its layer", gguf.files()[tensor.file],
                    tensor.name);
    }
  }
  const auto count = uint32_t(tensor.dims[2]);
  parts.push_back({name.part, tensor.type, tensor.file, tensor.offset, tensor.bytes / count, count});
  return {};
}

// Returns true for a tensor of one expert, `blk.N.ffn_gate.E.weight`, as files had them before 2024.
bool is_of_one_expert(std::string_view name) {
  const auto [block, rest] = parse_tensor_name(name);
  constexpr std::array<std::string_view, 3> kKinds = {"ffn_gate.", "ffn_up.", "ffn_down."};
  return block && std::any_of(kKinds.begin(), kKinds.end(), [text = rest](std::string_view kind) {
           return text.starts_with(kind) && text.size() > kind.size() && text[kind.size()] >= '0' &&
                  text[kind.size()] <= '9';
         });
}

// Says what a file without expert tensors is, and what to do.
std::string what_it_is_instead(const Gguf& gguf) {
  const GgufMetadata& keys = gguf.metadata();
  const std::string kind(keys.text("general.type", "").value_or(""));
  const std::string architecture(keys.text("general.architecture", "").value_or(""));
  const auto any = [&](auto has) { return std::any_of(gguf.tensors().begin(), gguf.tensors().end(), has); };
  const bool is_clip = architecture == "clip" || keys.has("clip.has_vision_encoder");
  if (kind == "mmproj" || is_clip) {
    return "is a vision projector, not a model; name the model's file, which usually lies beside it";
  }
  if (kind == "adapter" || keys.has("adapter.type") ||
      any([](const GgufTensor& tensor) { return tensor.name.ends_with(".lora_a"); })) {
    return "is an adapter (LoRA), not a model; merge it into its model, or name the model's file";
  }
  if (kind == "imatrix" || keys.has("imatrix.datasets") ||
      any([](const GgufTensor& tensor) { return tensor.name.ends_with(".in_sum2"); })) {
    return "is an importance matrix for quantizing, not a model; name the model's file";
  }
  if (any([](const GgufTensor& tensor) { return is_of_one_expert(tensor.name); })) {
    return "is a mixture of experts in the layout of before 2024, with a tensor for each expert "
           "(blk.N.ffn_gate.E.weight); convert the model again with a converter of today";
  }
  if (gguf.tensors().empty()) {
    return "has no tensors: it is a vocabulary or the head of a split model, not a model; name a file with "
           "weights";
  }
  if (!architecture.empty() && keys.has(architecture + ".expert_count")) {
    return fmt::format(
        "says it has experts ({}.expert_count), but none of its tensors is one "
        "(blk.N.ffn_*_exps.weight); the file is incomplete or of a layout that is not known here",
        architecture);
  }
  return fmt::format(
      "is a dense model{}: it has no experts (blk.N.ffn_*_exps.weight) that could lie on a drive",
      architecture.empty() ? "" : fmt::format(" of the architecture {}", architecture));
}

// Checks that every layer has all parts or none, and that all layers have the same number of experts.
Result<void> check_layers(const Gguf& gguf, GgufExperts& experts) {
  constexpr std::array kSplit = {ExpertPart::gate, ExpertPart::up, ExpertPart::down};
  constexpr std::array kFused = {ExpertPart::gate_up, ExpertPart::down};
  constexpr std::array kUngated = {ExpertPart::up, ExpertPart::down};
  const auto consists_of = [](const std::vector<GgufExpertTensor>& parts, const auto& wanted) {
    return std::equal(parts.begin(), parts.end(), wanted.begin(), wanted.end(),
                      [](const GgufExpertTensor& part, ExpertPart kind) { return part.part == kind; });
  };
  for (size_t i = 0; i < experts.layers.size(); ++i) {
    std::vector<GgufExpertTensor>& parts = experts.layers[i];
    std::sort(parts.begin(), parts.end(),
              [](const GgufExpertTensor& a, const GgufExpertTensor& b) { return a.part < b.part; });
    if (!parts.empty() && !consists_of(parts, kSplit) && !consists_of(parts, kFused) &&
        !consists_of(parts, kUngated)) {
      return failed("{}: layer {} lacks some of ffn_gate_exps, ffn_up_exps and ffn_down_exps", gguf.path(),
                    i);
    }
    for (const GgufExpertTensor& part : parts) {
      if (experts.experts_per_layer == 0) {
        experts.experts_per_layer = part.experts;
      }
      if (part.experts != experts.experts_per_layer) {
        return failed("{}: layer {} has a tensor of {} experts where others have {}", gguf.path(), i,
                      part.experts, experts.experts_per_layer);
      }
    }
  }
  if (experts.experts_per_layer == 0) {
    return failed("{}: {}", gguf.path(), what_it_is_instead(gguf));
  }
  return {};
}

}  // namespace

std::vector<uint64_t> GgufExperts::expert_bytes() const {
  std::vector<uint64_t> list;
  for (const std::vector<GgufExpertTensor>& parts : layers) {
    uint64_t sum = 0;
    for (const GgufExpertTensor& part : parts) {
      sum += part.bytes;
    }
    list.push_back(sum);
  }
  return list;
}

Result<GgufExperts> find_gguf_experts(const Gguf& gguf) {
  GgufExperts experts;
  Result<std::optional<Blocks>> blocks = blocks_by_keys(gguf);
  if (!blocks) {
    return propagate(blocks);
  }
  for (const GgufTensor& tensor : gguf.tensors()) {
    if (const std::optional<ExpertName> name = expert_name(tensor.name)) {
      if (Result<void> added = add_part(gguf, tensor, *name, experts); !added) {
        return propagate(added);
      }
    }
  }
  if (*blocks) {
    if (experts.layers.size() > (*blocks)->count) {
      return failed("{}: layer {} has experts, but block_count is {}", gguf.path(), experts.layers.size() - 1,
                    (*blocks)->count);
    }
    experts.layers.resize((*blocks)->run);
  }
  if (Result<void> whole = check_layers(gguf, experts); !whole) {
    return propagate(whole);
  }
  return experts;
}

Result<ModelGeometry> gguf_geometry(const Gguf& gguf, const GgufExperts& experts) {
  const GgufMetadata& keys = gguf.metadata();
  const Result<std::string> count_key = keys.arch_key("expert_count");
  if (!count_key) {
    return Unexpected(count_key.error());
  }
  const Result<uint32_t> count = keys.integer<uint32_t>(*count_key);
  if (!count) {
    return Unexpected(count.error());
  }
  if (*count != experts.experts_per_layer) {
    return failed("{}: {} is {}, but the expert tensors have {} experts", gguf.path(), *count_key, *count,
                  experts.experts_per_layer);
  }
  // If the key is a list, it has an entry for each block of the file, those that decoding leaves out
  // included. Where the entries differ, the largest counts: a token may use that many experts.
  const Result<uint32_t> blocks =
      keys.integer<uint32_t>(*keys.arch_key("block_count"), uint32_t(experts.layers.size()));
  if (!blocks) {
    return Unexpected(blocks.error());
  }
  const Result<std::vector<uint32_t>> used =
      keys.per_layer<uint32_t>(*keys.arch_key("expert_used_count"), *blocks);
  if (!used) {
    return Unexpected(used.error());
  }
  const uint32_t top_k = *std::max_element(used->begin(), used->end());
  ModelGeometry geometry{.layers = uint32_t(experts.layers.size()),
                         .experts_per_layer = experts.experts_per_layer,
                         .top_k = top_k,
                         .used_top_k = top_k,
                         .expert_bytes = experts.expert_bytes()};
  if (Result<void> valid = geometry.validate(); !valid) {
    return failed("{}: {}", gguf.path(), valid.error().message);
  }
  return geometry;
}

}  // namespace spillway
