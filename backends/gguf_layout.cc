#include "backends/gguf_layout.h"

#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "backends/ggml_types.h"
#include "backends/gguf_cursor.h"
#include "core/units.h"

namespace spillway {
namespace {

constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr uint64_t kMostKeyBytes = 65535;
constexpr uint64_t kMostNameBytes = 63;
constexpr uint32_t kMostLayers = 65536;
constexpr uint64_t kMostFiles = 65535;

// What the smallest key-value pair and tensor entry take: no more of them than the file has bytes for.
constexpr uint64_t kLeastPairBytes = 8 + 1 + 4 + 1;
constexpr uint64_t kLeastTensorBytes = 8 + 4 + 8 + 4 + 8;

// What the key-value pairs say that matters here.
struct Facts {
  uint64_t alignment = 32;
  uint64_t split_count = 0;
  uint64_t split_number = 0;
};

enum class ValueType : uint32_t { text = 8, array = 9 };

// Bytes of a scalar of this type; 0 for text, arrays and what is unknown.
uint64_t scalar_bytes(uint32_t type) {
  constexpr std::array<uint8_t, 13> kBytes = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return type < kBytes.size() ? kBytes[type] : 0;
}

uint64_t read_unsigned(GgufCursor& cursor, uint32_t type) {
  switch (scalar_bytes(type)) {
    case 1:
      return cursor.number<uint8_t>("a value");
    case 2:
      return cursor.number<uint16_t>("a value");
    case 4:
      return cursor.number<uint32_t>("a value");
    case 8:
      return cursor.number<uint64_t>("a value");
    default:
      cursor.fail(fmt::format("a number is wanted, not a value of type {}", type));
      return 0;
  }
}

void skip_array(GgufCursor& cursor) {
  const auto type = cursor.number<uint32_t>("an array's type");
  const auto count = cursor.number<uint64_t>("an array's length");
  const bool text = type == uint32_t(ValueType::text);
  const uint64_t least = text ? 8 : scalar_bytes(type);
  if (least == 0) {
    cursor.fail(fmt::format("an array of elements of unknown type {}", type));
  } else if (count > cursor.remaining() / least) {
    cursor.fail(fmt::format("an array of {} elements, which the file has no bytes for", count));
  } else if (!text) {
    cursor.skip(count * least, "an array");
  } else {
    for (uint64_t i = 0; i < count && !cursor.problem(); ++i) {
      cursor.skip_text("an array's text");
    }
  }
}

void skip_value(GgufCursor& cursor, uint32_t type) {
  if (type == uint32_t(ValueType::text)) {
    cursor.skip_text("a text");
  } else if (type == uint32_t(ValueType::array)) {
    skip_array(cursor);
  } else if (scalar_bytes(type) != 0) {
    cursor.skip(scalar_bytes(type), "a value");
  } else {
    cursor.fail(fmt::format("a value of unknown type {}", type));
  }
}

Facts read_pairs(GgufCursor& cursor, uint64_t count) {
  Facts facts;
  for (uint64_t i = 0; i < count && !cursor.problem(); ++i) {
    const std::string key = cursor.text(kMostKeyBytes, "key");
    const auto type = cursor.number<uint32_t>("a value's type");
    if (key == "general.alignment") {
      facts.alignment = read_unsigned(cursor, type);
    } else if (key == "split.count") {
      facts.split_count = read_unsigned(cursor, type);
    } else if (key == "split.no") {
      facts.split_number = read_unsigned(cursor, type);
    } else {
      skip_value(cursor, type);
    }
  }
  if (facts.alignment == 0 || (facts.alignment & (facts.alignment - 1)) != 0 || facts.alignment > kMiB) {
    cursor.fail(fmt::format("general.alignment is {}, not a power of two up to 1 MiB", facts.alignment));
  }
  if (facts.split_count > kMostFiles) {
    cursor.fail(fmt::format("split.count is {}; at most {} are possible", facts.split_count, kMostFiles));
  }
  return facts;
}

struct Tensor {
  std::string name;
  std::array<uint64_t, 4> sizes = {1, 1, 1, 1};  // fastest first
  uint64_t matrix_bytes = 0;                     // of sizes[0] × sizes[1]
  uint64_t bytes = 0;
  uint64_t offset = 0;  // within the data
};

Tensor read_tensor(GgufCursor& cursor) {
  Tensor tensor;
  tensor.name = cursor.text(kMostNameBytes, "tensor name");
  const auto dimensions = cursor.number<uint32_t>("a tensor's dimensions");
  if (dimensions < 1 || dimensions > 4) {
    cursor.fail(fmt::format("tensor {} has {} dimensions, not 1 to 4", tensor.name, dimensions));
  }
  for (uint32_t i = 0; i < dimensions && !cursor.problem(); ++i) {
    tensor.sizes[i] = cursor.number<uint64_t>("a tensor's sizes");
  }
  const auto type = cursor.number<uint32_t>("a tensor's type");
  tensor.offset = cursor.number<uint64_t>("a tensor's offset");
  if (cursor.problem()) {
    return tensor;
  }
  const Result<uint64_t> row = ggml_row_bytes(type, tensor.sizes[0]);
  if (!row) {
    cursor.fail(fmt::format("tensor {}: {}", tensor.name, row.error().message));
    return tensor;
  }
  const auto& sizes = tensor.sizes;
  if (__builtin_mul_overflow(*row, sizes[1], &tensor.matrix_bytes) ||
      __builtin_mul_overflow(tensor.matrix_bytes, sizes[2], &tensor.bytes) ||
      __builtin_mul_overflow(tensor.bytes, sizes[3], &tensor.bytes) || tensor.bytes == 0 ||
      tensor.bytes > cursor.size()) {
    cursor.fail(fmt::format("tensor {} of {}×{}×{}×{} does not fit into a file of {} bytes", tensor.name,
                            sizes[0], sizes[1], sizes[2], sizes[3], cursor.size()));
  }
  return tensor;
}

// `blk.L.ffn_KIND_exps.weight` taken apart.
struct ExpertName {
  uint32_t layer;
  std::string_view kind;
};

std::optional<ExpertName> expert_name(std::string_view name) {
  constexpr std::string_view kBegin = "blk.";
  constexpr std::string_view kMiddle = ".ffn_";
  constexpr std::string_view kEnd = "_exps.weight";
  if (!name.starts_with(kBegin) || !name.ends_with(kEnd)) {
    return std::nullopt;
  }
  name.remove_prefix(kBegin.size());
  name.remove_suffix(kEnd.size());
  ExpertName found{};
  const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), found.layer);
  name.remove_prefix(size_t(end - name.data()));
  if (problem != std::errc{} || !name.starts_with(kMiddle)) {
    return std::nullopt;
  }
  found.kind = name.substr(kMiddle.size());
  return found;
}

std::optional<GgufExpertTensor>* slot_for(GgufLayer& layer, std::string_view kind) {
  return kind == "gate"      ? &layer.gate
         : kind == "up"      ? &layer.up
         : kind == "gate_up" ? &layer.gate_up
         : kind == "down"    ? &layer.down
                             : nullptr;
}

void keep_expert_tensor(GgufCursor& cursor, const Tensor& tensor, uint32_t file, uint64_t data_begin,
                        GgufLayout& layout) {
  const std::optional<ExpertName> name = expert_name(tensor.name);
  if (!name) {
    return;
  }
  if (name->layer >= kMostLayers || tensor.sizes[3] != 1 || tensor.sizes[2] > kMostLayers) {
    cursor.fail(fmt::format("expert tensor {} has an impossible layer or shape", tensor.name));
    return;
  }
  if (layout.layers.size() <= name->layer) {
    layout.layers.resize(name->layer + 1);
  }
  std::optional<GgufExpertTensor>* slot = slot_for(layout.layers[name->layer], name->kind);
  if (slot == nullptr) {
    return;
  }
  if (*slot) {
    cursor.fail(fmt::format("tensor {} is there twice", tensor.name));
    return;
  }
  *slot = GgufExpertTensor{.file = file,
                           .offset = data_begin + tensor.offset,
                           .bytes = tensor.matrix_bytes,
                           .experts = uint32_t(tensor.sizes[2])};
}

// The tensor table, whose entries must follow each other without gaps: a damaged one is seen by that.
void read_tensors(GgufCursor& cursor, uint64_t count, uint64_t alignment, uint32_t file, GgufLayout& layout) {
  std::vector<Tensor> experts;
  uint64_t expected = 0;
  uint64_t end = 0;  // of the last tensor, whose padding may be missing
  for (uint64_t i = 0; i < count && !cursor.problem(); ++i) {
    Tensor tensor = read_tensor(cursor);
    if (!cursor.problem() && tensor.offset != expected) {
      cursor.fail(
          fmt::format("tensor {} is said to begin at {} of the data, but the one before it ends at {}",
                      tensor.name, tensor.offset, expected));
    }
    // Neither addend is larger than a file.
    end = tensor.offset + tensor.bytes;
    expected = round_up(end, alignment);
    if (!cursor.problem() && expected > 2 * cursor.size()) {
      cursor.fail(fmt::format("tensor {} ends beyond the end of the file", tensor.name));
    }
    if (expert_name(tensor.name)) {
      experts.push_back(std::move(tensor));
    }
  }
  if (cursor.problem()) {
    return;
  }
  const uint64_t data_begin = round_up(cursor.position(), alignment);
  if (data_begin > cursor.size() || end > cursor.size() - data_begin) {
    cursor.fail(fmt::format("the tensors need {} bytes from {} on, but the file has only {}", end, data_begin,
                            cursor.size()));
    return;
  }
  for (const Tensor& tensor : experts) {
    keep_expert_tensor(cursor, tensor, file, data_begin, layout);
  }
}

Result<Facts> read_file(const std::string& path, uint32_t number, GgufLayout& layout) {
  Result<FileHandle> file = open_file(path, O_RDONLY);
  if (!file) {
    return propagate(file);
  }
  Result<uint64_t> size = file_size(path, *file);
  if (!size) {
    return propagate(size);
  }
  const auto cursor = std::make_unique<GgufCursor>(path, *file, *size);
  if (cursor->number<uint32_t>("the magic") != kMagic) {
    cursor->fail("this is no GGUF");
  }
  const auto version = cursor->number<uint32_t>("the version");
  if ((version & 0xffff) == 0) {
    cursor->fail("a big-endian GGUF; this program reads little-endian ones");
  } else if (version != 2 && version != 3) {
    cursor->fail(fmt::format("GGUF version {}; this program reads 2 and 3", version));
  }
  const auto tensors = cursor->number<uint64_t>("the tensor count");
  const auto pairs = cursor->number<uint64_t>("the key count");
  if (tensors > cursor->size() / kLeastTensorBytes || pairs > cursor->size() / kLeastPairBytes) {
    cursor->fail(
        fmt::format("claims {} tensors and {} keys, which the file has no bytes for", tensors, pairs));
  }
  const Facts facts = read_pairs(*cursor, pairs);
  read_tensors(*cursor, tensors, facts.alignment, number, layout);
  if (cursor->problem()) {
    return Unexpected(*cursor->problem());
  }
  layout.files.push_back(path);
  return facts;
}

// The name of file `index` of a split model, from that of the first.
std::optional<std::string> split_name(const std::string& first, uint64_t index, uint64_t count) {
  const std::string end = fmt::format("-{:05}-of-{:05}.gguf", 1, count);
  if (!first.ends_with(end)) {
    return std::nullopt;
  }
  return fmt::format("{}-{:05}-of-{:05}.gguf", first.substr(0, first.size() - end.size()), index + 1, count);
}

Result<void> read_other_files(const std::string& path, const Facts& first, GgufLayout& layout) {
  for (uint64_t i = 1; i < first.split_count; ++i) {
    const std::optional<std::string> name = split_name(path, i, first.split_count);
    if (!name) {
      return failed(
          "{} is a part of {} but is not called …-00001-of-{:05}.gguf, so the others cannot be found", path,
          first.split_count, first.split_count);
    }
    Result<Facts> facts = read_file(*name, uint32_t(i), layout);
    if (!facts) {
      return propagate(facts);
    }
    if (facts->split_count != first.split_count || facts->split_number != i) {
      return failed("{} says it is part {} of {}; part {} of {} is wanted", *name, facts->split_number + 1,
                    facts->split_count, i + 1, first.split_count);
    }
  }
  return {};
}

// Every layer has all parts of as many experts as the others, or none.
Result<void> check_layers(const std::string& path, GgufLayout& layout) {
  for (size_t i = 0; i < layout.layers.size(); ++i) {
    const GgufLayer& layer = layout.layers[i];
    if (layer.parts().empty()) {
      continue;
    }
    const bool split = layer.gate && layer.up && !layer.gate_up;
    const bool fused = layer.gate_up && !layer.gate && !layer.up;
    if (!layer.down || !(split || fused)) {
      return failed("{}: layer {} lacks some of ffn_gate_exps, ffn_up_exps and ffn_down_exps", path, i);
    }
    for (const GgufExpertTensor& part : layer.parts()) {
      if (layout.experts_per_layer == 0) {
        layout.experts_per_layer = part.experts;
      }
      if (part.experts != layout.experts_per_layer) {
        return failed("{}: layer {} has a tensor of {} experts where others have {}", path, i, part.experts,
                      layout.experts_per_layer);
      }
    }
  }
  if (layout.experts_per_layer == 0) {
    return failed(
        "{}: the model has no expert tensors (blk.*.ffn_*_exps.weight): it is no mixture of experts", path);
  }
  return {};
}

}  // namespace

std::vector<GgufExpertTensor> GgufLayer::parts() const {
  std::vector<GgufExpertTensor> list;
  for (const auto* part : {&gate, &up, &gate_up, &down}) {
    if (*part) {
      list.push_back(**part);
    }
  }
  return list;
}

std::vector<uint64_t> GgufLayout::expert_bytes() const {
  std::vector<uint64_t> bytes;
  for (const GgufLayer& layer : layers) {
    uint64_t sum = 0;
    for (const GgufExpertTensor& part : layer.parts()) {
      sum += part.bytes;
    }
    bytes.push_back(sum);
  }
  return bytes;
}

Result<GgufLayout> read_gguf_layout(const std::string& path) {
  GgufLayout layout;
  Result<Facts> first = read_file(path, 0, layout);
  if (!first) {
    return propagate(first);
  }
  if (first->split_number != 0) {
    return failed("{} is part {} of a split model; name the first part", path, first->split_number + 1);
  }
  if (Result<void> others = read_other_files(path, *first, layout); !others) {
    return propagate(others);
  }
  if (Result<void> whole = check_layers(path, layout); !whole) {
    return propagate(whole);
  }
  return layout;
}

}  // namespace spillway
