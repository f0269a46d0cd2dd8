#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/tensor_type.h"
#include "core/units.h"
#include "model/gguf/gguf_metadata.h"
#include "tests/support/files.h"

namespace spillway::test {

// Little-endian fields, one after another.
class Fields {
 public:
  template <class T>
  Fields& number(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Fields& text(std::string_view value) {
    number(uint64_t(value.size()));
    bytes_.append(value);
    return *this;
  }
  Fields& raw(std::string_view value) {
    bytes_.append(value);
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

template <class T>
constexpr GgufType type_number() {
  if constexpr (std::is_same_v<T, uint8_t>) return GgufType::u8;
  if constexpr (std::is_same_v<T, int8_t>) return GgufType::i8;
  if constexpr (std::is_same_v<T, uint16_t>) return GgufType::u16;
  if constexpr (std::is_same_v<T, int16_t>) return GgufType::i16;
  if constexpr (std::is_same_v<T, uint32_t>) return GgufType::u32;
  if constexpr (std::is_same_v<T, int32_t>) return GgufType::i32;
  if constexpr (std::is_same_v<T, float>) return GgufType::f32;
  if constexpr (std::is_same_v<T, bool>) return GgufType::flag;
  if constexpr (std::is_same_v<T, uint64_t>) return GgufType::u64;
  if constexpr (std::is_same_v<T, int64_t>) return GgufType::i64;
  if constexpr (std::is_same_v<T, double>) return GgufType::f64;
}

// Composes a GGUF file, independently of the reader. Counts and sums can be overridden to make
// files with false claims.
class GgufBuilder {
 public:
  uint32_t version = 3;
  uint64_t alignment = 32;               // of the data; the key for it is not written automatically
  std::optional<uint64_t> claimed_keys;  // instead of the true number
  std::optional<uint64_t> claimed_tensors;
  bool pad_last = true;  // padding behind the last tensor

  GgufBuilder& pair(std::string_view name, GgufType type, std::string_view value) {
    pairs_.text(name).number(uint32_t(type)).raw(value);
    ++pair_count_;
    return *this;
  }
  template <class T>
  GgufBuilder& number(std::string_view name, T value) {
    return pair(name, type_number<T>(), Fields().number(value).bytes());
  }
  GgufBuilder& text(std::string_view name, std::string_view value) {
    return pair(name, GgufType::text, Fields().text(value).bytes());
  }
  template <class T>
  GgufBuilder& numbers(std::string_view name, const std::vector<T>& values) {
    Fields fields;
    fields.number(uint32_t(type_number<T>())).number(uint64_t(values.size()));
    for (const T value : values) {
      fields.number(value);
    }
    return pair(name, GgufType::array, fields.bytes());
  }
  GgufBuilder& texts(std::string_view name, const std::vector<std::string>& values) {
    Fields fields;
    fields.number(uint32_t(GgufType::text)).number(uint64_t(values.size()));
    for (const std::string& value : values) {
      fields.text(value);
    }
    return pair(name, GgufType::array, fields.bytes());
  }

  // Adds a tensor, behind the earlier ones unless an offset is given.
  GgufBuilder& tensor(std::string_view name, const std::vector<uint64_t>& dims, TensorType type,
                      std::optional<uint64_t> offset = std::nullopt) {
    const TensorTypeInfo& info = tensor_type_info(type);
    uint64_t bytes = info.block_bytes;
    for (size_t i = 0; i < dims.size(); ++i) {
      bytes *= i == 0 ? dims[0] / info.block_elements : dims[i];
    }
    const uint64_t place = round_up(data_bytes_, alignment);
    entry(name, dims, uint32_t(type), offset.value_or(place));
    data_bytes_ = place + bytes;
    return *this;
  }
  // Adds an entry as given, without data of its own.
  GgufBuilder& entry(std::string_view name, const std::vector<uint64_t>& dims, uint32_t type,
                     uint64_t offset) {
    tensors_.text(name).number(uint32_t(dims.size()));
    for (const uint64_t size : dims) {
      tensors_.number(size);
    }
    tensors_.number(type).number(offset);
    ++tensor_count_;
    return *this;
  }

  std::string head() const {
    Fields fields;
    fields.raw("GGUF").number(version);
    fields.number(claimed_tensors.value_or(tensor_count_)).number(claimed_keys.value_or(pair_count_));
    return fields.raw(pairs_.bytes()).raw(tensors_.bytes()).bytes();
  }
  uint64_t data_begin() const { return round_up(head().size(), alignment); }

  // Returns the whole file. The data is a pattern that differs from place to place.
  std::string bytes() const {
    std::string file = head();
    file.resize(data_begin(), '\0');
    const uint64_t size = pad_last ? round_up(data_bytes_, alignment) : data_bytes_;
    for (uint64_t i = 0; i < size; ++i) {
      file += char('a' + i % 26);
    }
    return file;
  }

 private:
  Fields pairs_;
  Fields tensors_;
  uint64_t pair_count_ = 0;
  uint64_t tensor_count_ = 0;
  uint64_t data_bytes_ = 0;
};

// A model of two layers of four experts, with a key of every type. The first layer has gate and up in Q8_0
// and down in F32; the second has gate and up fused.
inline GgufBuilder tiny_moe() {
  GgufBuilder builder;
  builder.alignment = 64;
  builder.text("general.architecture", "qwen3moe");
  builder.number("general.alignment", uint32_t(64));
  builder.number("qwen3moe.block_count", uint32_t(2));
  builder.number("qwen3moe.expert_count", uint32_t(4));
  builder.number("qwen3moe.expert_used_count", uint32_t(2));
  builder.number("qwen3moe.rope.freq_base", 1e6F);
  builder.number("a.u8", uint8_t(200)).number("a.i8", int8_t(-3)).number("a.u16", uint16_t(60000));
  builder.number("a.i16", int16_t(-30000)).number("a.i32", int32_t(-5)).number("a.flag", true);
  builder.number("a.u64", UINT64_MAX).number("a.i64", INT64_MIN).number("a.f64", 0.1);
  builder.texts("tokens", {"a", "", "bc"});
  builder.numbers<int32_t>("token_type", {1, -3, 6});
  builder.numbers<float>("scores", {0.5F, -1.0F});
  builder.numbers<bool>("recurrent", {true, false});
  builder.tensor("norm", {3}, TensorType::f32);
  builder.tensor("blk.0.ffn_gate_exps.weight", {32, 2, 4}, TensorType::q8_0);
  builder.tensor("blk.0.ffn_down_exps.weight", {2, 32, 4}, TensorType::f32);
  builder.tensor("blk.0.ffn_up_exps.weight", {32, 2, 4}, TensorType::q8_0);
  builder.tensor("blk.1.ffn_gate_up_exps.weight", {32, 4, 4}, TensorType::q8_0);
  builder.tensor("blk.1.ffn_down_exps.weight", {32, 2, 4}, TensorType::q4_0);
  return builder;
}

// One of the three files of a split model, with one tensor each.
inline std::string split_part(uint16_t number, std::string_view tensor) {
  GgufBuilder builder;
  builder.number("split.no", number).number("split.count", uint16_t(3));
  builder.number("split.tensors.count", int32_t(3));
  builder.tensor(tensor, {32, 1, 2}, TensorType::q8_0);
  return builder.bytes();
}

// A directory for model files, in memory if possible.
class ModelDirectory : public TemporaryDirectory {
 public:
  ModelDirectory() : TemporaryDirectory(memory_directory()) {}

  // Makes a file of these bytes and returns its path.
  std::string write(std::string_view bytes, const std::string& name = "model.gguf") const {
    write_file(*this / name, bytes);
    return *this / name;
  }
};

}  // namespace spillway::test
