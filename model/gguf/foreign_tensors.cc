#include "model/gguf/foreign_tensors.h"

#include <array>
#include <map>

#include "core/units.h"

namespace spillway {
namespace {

constexpr std::string_view kFurtherTokens = "blocks that predict further tokens";

// How the names of foreign tensors begin.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kOwners = {
    {{"v.", "vision tower"},
     {"mm.", "vision projector"},
     {"a.", "audio tower"},
     {"mtp.", "draft head"},
     {"nextn.", "draft head"},
     {"model.visual.", "vision tower"},
     {"vision_model.", "vision tower"},
     {"audio_model.", "audio tower"}}};

std::string_view owner_of(const GgufTensor& tensor, uint32_t layers) {
  if (parse_tensor_name(tensor.name).block.value_or(0) >= layers) {
    return kFurtherTokens;
  }
  return foreign_owner(tensor.name);
}

}  // namespace

std::string_view foreign_owner(std::string_view tensor_name) {
  for (const auto& [beginning, owner] : kOwners) {
    if (tensor_name.starts_with(beginning)) {
      return owner;
    }
  }
  return {};
}

bool is_left_out(const GgufTensor& tensor, uint32_t layers) {
  return !owner_of(tensor, layers).empty();
}

std::string describe_left_out(const Gguf& gguf, uint32_t layers) {
  struct Part {
    uint64_t tensors = 0;
    uint64_t bytes = 0;
  };
  std::map<std::string_view, Part> parts;
  for (const GgufTensor& tensor : gguf.tensors()) {
    if (const std::string_view owner = owner_of(tensor, layers); !owner.empty()) {
      ++parts[owner].tensors;
      parts[owner].bytes += tensor.bytes;
    }
  }
  std::string text;
  for (const auto& [owner, part] : parts) {
    text += fmt::format("{}{} ({} tensors, {})", text.empty() ? "" : ", ", owner, part.tensors,
                        format_bytes(part.bytes));
  }
  return text.empty() ? "" : "left out, since decoding needs none of it: " + text;
}

}  // namespace spillway
