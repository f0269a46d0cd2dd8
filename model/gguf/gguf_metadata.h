#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/result.h"

namespace spillway {

// The types of values, with the numbers that GGUF files use.
enum class GgufType : uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  flag = 7,
  text = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};

// Returns the bytes of a number or a flag; 0 for texts, arrays and unknown types.
uint32_t gguf_scalar_bytes(GgufType type);

// A number or a flag, widened to the largest type of its kind.
using GgufScalar = std::variant<uint64_t, int64_t, double, bool>;

// Reads the scalar of that type at `bytes`.
GgufScalar gguf_scalar(GgufType type, const std::byte* bytes);

// Many short texts in one piece of memory: a vocabulary of 150,000 tokens takes two allocations.
class StringArray {
 public:
  size_t size() const { return ends_.size(); }
  std::string_view operator[](size_t index) const;

  void reserve(size_t count) { ends_.reserve(count); }
  void push_back(std::string_view text);

 private:
  std::string text_;
  std::vector<uint32_t> ends_;
};

// An array of numbers or flags, stored as it is in the file.
class NumberArray {
 public:
  NumberArray(GgufType type, std::vector<std::byte> bytes) : type_(type), bytes_(std::move(bytes)) {}

  size_t size() const { return bytes_.size() / gguf_scalar_bytes(type_); }
  GgufScalar operator[](size_t index) const;

 private:
  GgufType type_;
  std::vector<std::byte> bytes_;
};

using GgufValue = std::variant<uint64_t, int64_t, double, bool, std::string, StringArray, NumberArray>;

// The keys and values of a GGUF file. A look-up of an absent key returns `otherwise`, or fails if none is
// given. It also fails when the value is of another kind or does not fit into the requested type; the error
// names the file and the key.
class GgufMetadata {
 public:
  explicit GgufMetadata(std::string path) : path_(std::move(path)) {}

  // Returns false when the key exists already.
  bool add(std::string key, GgufValue value);

  const std::map<std::string, GgufValue, std::less<>>& values() const { return values_; }
  const GgufValue* find(std::string_view key) const;
  bool has(std::string_view key) const { return find(key) != nullptr; }

  template <std::integral T>
  Result<T> integer(std::string_view key, std::optional<T> otherwise = std::nullopt) const;
  Result<double> real(std::string_view key, std::optional<double> otherwise = std::nullopt) const;
  Result<bool> flag(std::string_view key, std::optional<bool> otherwise = std::nullopt) const;
  // The returned view is valid as long as this object.
  Result<std::string_view> text(std::string_view key,
                                std::optional<std::string_view> otherwise = std::nullopt) const;

  // Arrays. integers() also accepts an array of flags, which count as 0 and 1.
  template <std::integral T>
  Result<std::vector<T>> integers(std::string_view key) const;
  Result<std::vector<float>> reals(std::string_view key) const;
  Result<const StringArray*> texts(std::string_view key) const;

  // Returns one value for each of `layers` layers. The file gives them as an array, or as
  // one integer for all layers.
  template <std::integral T>
  Result<std::vector<T>> per_layer(std::string_view key, size_t layers,
                                   std::optional<T> otherwise = std::nullopt) const;

  // Returns the value of one layer. The file gives it as an array with an entry for each block, those that
  // decoding leaves out included, or as one integer for all layers.
  template <std::integral T>
  Result<T> of_layer(std::string_view key, size_t layer, std::optional<T> otherwise = std::nullopt) const;

  // Returns the full name of the architecture's key `name`: `qwen3moe.NAME`.
  Result<std::string> arch_key(std::string_view name) const;

 private:
  template <std::integral T>
  static std::optional<T> integer_of(const GgufScalar& scalar);
  Unexpected missing(std::string_view key) const;
  Unexpected unfit(std::string_view key, const std::string& wanted) const;
  Unexpected unfit_element(std::string_view key, size_t index, const GgufScalar& value,
                           const std::string& wanted) const;
  Result<const NumberArray*> numbers(std::string_view key) const;

  std::string path_;
  std::map<std::string, GgufValue, std::less<>> values_;
};

// ---- the templates

template <std::integral T>
std::string integer_wanted() {
  return fmt::format("an integer from {} to {} is wanted", std::numeric_limits<T>::min(),
                     std::numeric_limits<T>::max());
}

template <std::integral T>
std::optional<T> GgufMetadata::integer_of(const GgufScalar& scalar) {
  if (const auto* natural = std::get_if<uint64_t>(&scalar); natural && std::in_range<T>(*natural)) {
    return static_cast<T>(*natural);
  }
  if (const auto* whole = std::get_if<int64_t>(&scalar); whole && std::in_range<T>(*whole)) {
    return static_cast<T>(*whole);
  }
  return std::nullopt;
}

template <std::integral T>
Result<T> GgufMetadata::integer(std::string_view key, std::optional<T> otherwise) const {
  const GgufValue* value = find(key);
  if (value == nullptr) {
    return otherwise ? Result<T>(*otherwise) : missing(key);
  }
  std::optional<T> fits;
  if (const auto* natural = std::get_if<uint64_t>(value)) {
    fits = integer_of<T>(*natural);
  } else if (const auto* whole = std::get_if<int64_t>(value)) {
    fits = integer_of<T>(*whole);
  }
  return fits ? Result<T>(*fits) : unfit(key, integer_wanted<T>());
}

template <std::integral T>
Result<std::vector<T>> GgufMetadata::integers(std::string_view key) const {
  Result<const NumberArray*> array = numbers(key);
  if (!array) {
    return propagate(array);
  }
  std::vector<T> list;
  list.reserve((*array)->size());
  for (size_t i = 0; i < (*array)->size(); ++i) {
    const GgufScalar value = (**array)[i];
    const auto* flag = std::get_if<bool>(&value);
    const std::optional<T> fits = flag ? std::optional<T>(*flag ? T{1} : T{0}) : integer_of<T>(value);
    if (!fits) {
      return unfit_element(key, i, value, integer_wanted<T>());
    }
    list.push_back(*fits);
  }
  return list;
}

template <std::integral T>
Result<std::vector<T>> GgufMetadata::per_layer(std::string_view key, size_t layers,
                                               std::optional<T> otherwise) const {
  const GgufValue* value = find(key);
  if (value == nullptr || !std::holds_alternative<NumberArray>(*value)) {
    Result<T> same = integer<T>(key, otherwise);
    return same ? Result<std::vector<T>>(std::vector<T>(layers, *same)) : propagate(same);
  }
  Result<std::vector<T>> list = integers<T>(key);
  if (list && list->size() != layers) {
    return unfit(key, fmt::format("one integer, or one for each of {} layers, is wanted", layers));
  }
  return list;
}

template <std::integral T>
Result<T> GgufMetadata::of_layer(std::string_view key, size_t layer, std::optional<T> otherwise) const {
  const GgufValue* value = find(key);
  if (value == nullptr || !std::holds_alternative<NumberArray>(*value)) {
    return integer<T>(key, otherwise);
  }
  const NumberArray& list = std::get<NumberArray>(*value);
  if (layer >= list.size()) {
    return unfit(
        key, fmt::format("one integer, or one for each layer, is wanted; there is none for layer {}", layer));
  }
  const std::optional<T> fits = integer_of<T>(list[layer]);
  return fits ? Result<T>(*fits) : unfit_element(key, layer, list[layer], integer_wanted<T>());
}

}  // namespace spillway
