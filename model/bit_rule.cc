#include "model/bit_rule.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "core/expects.h"
#include "model/kernels/kernels.h"
#include "model/quantize.h"

namespace spillway {
namespace {

struct BitType {
  uint32_t bits = 0;
  TensorType type{};
  TensorType otherwise{};  // for rows that are not a multiple of 256 values
};

constexpr std::array<BitType, 7> kBitTypes = {{
    {2, TensorType::q2_k, TensorType::q4_0},
    {3, TensorType::q3_k, TensorType::q4_0},
    {4, TensorType::q4_k, TensorType::q4_0},
    {5, TensorType::q5_k, TensorType::q8_0},
    {6, TensorType::q6_k, TensorType::q8_0},
    {8, TensorType::q8_0, TensorType::q8_0},
    {16, TensorType::f16, TensorType::f16},
}};

const BitType* bit_type(uint32_t bits) {
  const auto* found = std::find_if(kBitTypes.begin(), kBitTypes.end(),
                                   [bits](const BitType& entry) { return entry.bits == bits; });
  return found == kBitTypes.end() ? nullptr : found;
}

std::optional<uint32_t> read_bits(std::string_view text) {
  uint32_t bits = 0;
  const char* end = text.data() + text.size();
  const bool whole = std::from_chars(text.data(), end, bits) == std::from_chars_result{end, {}};
  return whole && bit_type(bits) != nullptr ? std::optional(bits) : std::nullopt;
}

// Returns whether a tensor stays as it is: a vector, or a matrix that takes part in no matrix product (a
// recurrence, a convolution, a table of positions). Engines expect these unchanged.
bool is_small(const GgufTensor& tensor, std::string_view rest) {
  const bool matrix = tensor.dims[1] > 1 || tensor.dims[2] > 1 || tensor.dims[3] > 1;
  const bool recurrence =
      rest.starts_with("ssm_") && !rest.starts_with("ssm_out.") && !rest.starts_with("ssm_in.");
  const bool table = rest.find("shortconv.conv") != std::string_view::npos ||
                     rest.starts_with("attn_rel_b.") || rest.starts_with("position_embd.");
  return !matrix || recurrence || table || !rest.ends_with(".weight") || rest.ends_with("_norm.weight");
}

// Chooses the type for `bits` bits if that has fewer bits than the tensor has now; otherwise
// the tensor keeps its type.
WeightChoice choose(const GgufTensor& tensor, WeightGroup group, uint32_t bits) {
  WeightChoice choice = {&tensor, group, tensor.type, tensor.bytes, Shortfall::none};
  const BitType* wanted = bit_type(bits);
  Expects(wanted != nullptr);
  if (!has_fewer_bits(wanted->type, tensor.type)) {
    const bool fewer = has_fewer_bits(tensor.type, wanted->type);
    choice.shortfall = fewer ? Shortfall::narrow_already : Shortfall::none;
    return choice;
  }
  TensorType type = wanted->type;
  if (!row_bytes(type, tensor.dims[0])) {
    type = wanted->otherwise;
    choice.shortfall = bits == 4 ? Shortfall::no_q4_k : Shortfall::no_k_type;
  }
  if (!row_bytes(type, tensor.dims[0])) {
    choice.shortfall = Shortfall::no_blocks;
  } else if (has_fewer_bits(type, tensor.type)) {
    const TensorTypeInfo& info = tensor_type_info(type);
    choice.type = type;
    choice.bytes = tensor_values(tensor) / info.block_elements * info.block_bytes;
  }
  return choice;
}

}  // namespace

uint64_t tensor_values(const GgufTensor& tensor) {
  const TensorTypeInfo& info = tensor_type_info(tensor.type);
  return tensor.bytes / info.block_bytes * info.block_elements;
}

std::string_view name_of(WeightGroup group) {
  switch (group) {
    case WeightGroup::embeddings:
      return "embeddings";
    case WeightGroup::output:
      return "output head";
    case WeightGroup::attention:
      return "attention";
    case WeightGroup::shared_experts:
      return "shared experts";
    case WeightGroup::dense:
      return "dense feed-forward";
    case WeightGroup::other:
      return "other matrices";
    case WeightGroup::edge_experts:
      return "first and last block's experts";
    case WeightGroup::routed_experts:
      return "routed experts";
    case WeightGroup::router:
      return "router";
    case WeightGroup::small:
      return "norms and other small tensors";
  }
  return "";
}

WeightGroup weight_group(const GgufTensor& tensor, uint32_t layers) {
  const GgufTensorName name = parse_tensor_name(tensor.name);
  if (name.rest.starts_with("ffn_gate_inp")) {
    return WeightGroup::router;
  }
  if (is_small(tensor, name.rest)) {
    return WeightGroup::small;
  }
  if (!name.block) {
    return name.rest == "token_embd.weight" ? WeightGroup::embeddings
           : name.rest == "output.weight"   ? WeightGroup::output
                                            : WeightGroup::other;
  }
  if (name.rest.ends_with("_exps.weight")) {
    return *name.block == 0 || *name.block + 1 >= layers ? WeightGroup::edge_experts
                                                         : WeightGroup::routed_experts;
  }
  if (name.rest.ends_with("_shexp.weight")) {
    return WeightGroup::shared_experts;
  }
  if (name.rest.starts_with("attn_") || name.rest.starts_with("ssm_")) {
    return WeightGroup::attention;
  }
  return name.rest.starts_with("ffn_") ? WeightGroup::dense : WeightGroup::other;
}

Result<BitRule> BitRule::parse(const std::string& text) {
  constexpr std::string_view kName = "static:";
  const std::string_view numbers = std::string_view(text).substr(std::min(kName.size(), text.size()));
  const size_t comma = numbers.find(',');
  if (text.starts_with(kName) && comma != std::string_view::npos) {
    const std::optional<uint32_t> low = read_bits(numbers.substr(0, comma));
    const std::optional<uint32_t> high = read_bits(numbers.substr(comma + 1));
    if (low && high && *low > *high) {
      return wrong_usage(
          "'{}': the first number, the bits of the routed experts, must not be larger than the second", text);
    }
    if (low && high) {
      return BitRule{*low, *high};
    }
  }
  return wrong_usage("'{}' is not a rule; write static:LOW,HIGH with bits of 2, 3, 4, 5, 6, 8 or 16", text);
}

Result<std::vector<WeightChoice>> choose_types(const Gguf& gguf, uint32_t layers, const BitRule& rule) {
  std::vector<WeightChoice> choices;
  for (const GgufTensor& tensor : gguf.tensors()) {
    const WeightGroup group = weight_group(tensor, layers);
    if (group == WeightGroup::router || group == WeightGroup::small) {
      choices.push_back({&tensor, group, tensor.type, tensor.bytes, Shortfall::none});
      continue;
    }
    choices.push_back(choose(tensor, group, group == WeightGroup::routed_experts ? rule.low : rule.high));
    if (choices.back().changes() && !can_multiply(tensor.type)) {
      return failed(
          "{}: tensor {} is of type {}, which this program cannot read; start from the model in BF16, F16 or "
          "Q8_0",
          gguf.files()[tensor.file], tensor.name, tensor_type_info(tensor.type).name);
    }
  }
  return choices;
}

}  // namespace spillway
