#include "model/gguf/gguf_metadata.h"

#include <array>
#include <cstring>

#include "core/expects.h"

namespace spillway {
namespace {

template <class T>
T load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

std::string describe(uint64_t value) {
  return fmt::format("is {}", value);
}
std::string describe(int64_t value) {
  return fmt::format("is {}", value);
}
std::string describe(double value) {
  return fmt::format("is the floating-point number {}", value);
}
std::string describe(bool value) {
  return value ? "is true" : "is false";
}
std::string describe(const std::string& value) {
  return fmt::format("is a text of {} bytes", value.size());
}
std::string describe(const StringArray& value) {
  return fmt::format("is an array of {} texts", value.size());
}
std::string describe(const NumberArray& value) {
  return fmt::format("is an array of {} numbers", value.size());
}

}  // namespace

uint32_t gguf_scalar_bytes(GgufType type) {
  constexpr std::array<uint8_t, 13> kBytes = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  const auto number = static_cast<uint32_t>(type);
  return number < kBytes.size() ? kBytes[number] : 0;
}

GgufScalar gguf_scalar(GgufType type, const std::byte* bytes) {
  switch (type) {
    case GgufType::u8:
      return uint64_t(load<uint8_t>(bytes));
    case GgufType::i8:
      return int64_t(load<int8_t>(bytes));
    case GgufType::u16:
      return uint64_t(load<uint16_t>(bytes));
    case GgufType::i16:
      return int64_t(load<int16_t>(bytes));
    case GgufType::u32:
      return uint64_t(load<uint32_t>(bytes));
    case GgufType::i32:
      return int64_t(load<int32_t>(bytes));
    case GgufType::u64:
      return load<uint64_t>(bytes);
    case GgufType::i64:
      return load<int64_t>(bytes);
    case GgufType::f32:
      return double(load<float>(bytes));
    case GgufType::f64:
      return load<double>(bytes);
    case GgufType::flag:
      return load<uint8_t>(bytes) != 0;
    case GgufType::text:
    case GgufType::array:
      break;
  }
  Expects(false);
  return false;
}

std::string_view StringArray::operator[](size_t index) const {
  Expects(index < ends_.size());
  const size_t begin = index == 0 ? 0 : ends_[index - 1];
  return std::string_view(text_).substr(begin, ends_[index] - begin);
}

void StringArray::push_back(std::string_view text) {
  // The head of a file, where the texts come from, is shorter than 2^32 bytes.
  Expects(text_.size() + text.size() <= UINT32_MAX);
  text_ += text;
  ends_.push_back(static_cast<uint32_t>(text_.size()));
}

GgufScalar NumberArray::operator[](size_t index) const {
  Expects(index < size());
  return gguf_scalar(type_, bytes_.data() + index * gguf_scalar_bytes(type_));
}

bool GgufMetadata::add(std::string key, GgufValue value) {
  return values_.try_emplace(std::move(key), std::move(value)).second;
}

const GgufValue* GgufMetadata::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

Result<double> GgufMetadata::real(std::string_view key, std::optional<double> otherwise) const {
  const GgufValue* value = find(key);
  if (value == nullptr) {
    return otherwise ? Result<double>(*otherwise) : missing(key);
  }
  const auto* number = std::get_if<double>(value);
  return number != nullptr ? Result<double>(*number) : unfit(key, "a floating-point number is wanted");
}

Result<bool> GgufMetadata::flag(std::string_view key, std::optional<bool> otherwise) const {
  const GgufValue* value = find(key);
  if (value == nullptr) {
    return otherwise ? Result<bool>(*otherwise) : missing(key);
  }
  const auto* flag = std::get_if<bool>(value);
  return flag != nullptr ? Result<bool>(*flag) : unfit(key, "true or false is wanted");
}

Result<std::string_view> GgufMetadata::text(std::string_view key,
                                            std::optional<std::string_view> otherwise) const {
  const GgufValue* value = find(key);
  if (value == nullptr) {
    return otherwise ? Result<std::string_view>(*otherwise) : missing(key);
  }
  const auto* text = std::get_if<std::string>(value);
  return text != nullptr ? Result<std::string_view>(*text) : unfit(key, "a text is wanted");
}

Result<std::vector<float>> GgufMetadata::reals(std::string_view key) const {
  Result<const NumberArray*> array = numbers(key);
  if (!array) {
    return propagate(array);
  }
  std::vector<float> list;
  list.reserve((*array)->size());
  for (size_t i = 0; i < (*array)->size(); ++i) {
    const GgufScalar value = (**array)[i];
    const auto* real = std::get_if<double>(&value);
    if (real == nullptr) {
      return unfit_element(key, i, value, "a floating-point number is wanted");
    }
    list.push_back(static_cast<float>(*real));
  }
  return list;
}

Result<const StringArray*> GgufMetadata::texts(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) {
    return missing(key);
  }
  const auto* array = std::get_if<StringArray>(value);
  return array != nullptr ? Result<const StringArray*>(array) : unfit(key, "an array of texts is wanted");
}

Result<std::string> GgufMetadata::arch_key(std::string_view name) const {
  Result<std::string_view> architecture = text("general.architecture");
  if (!architecture) {
    return propagate(architecture);
  }
  return fmt::format("{}.{}", *architecture, name);
}

Result<const NumberArray*> GgufMetadata::numbers(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) {
    return missing(key);
  }
  const auto* array = std::get_if<NumberArray>(value);
  return array != nullptr ? Result<const NumberArray*>(array) : unfit(key, "an array of numbers is wanted");
}

Unexpected GgufMetadata::missing(std::string_view key) const {
  return failed("{}: key {} is missing", path_, key);
}

Unexpected GgufMetadata::unfit(std::string_view key, const std::string& wanted) const {
  const GgufValue* value = find(key);
  Expects(value != nullptr);
  return failed("{}: key {} {}; {}", path_, key,
                std::visit([](const auto& it) { return describe(it); }, *value), wanted);
}

Unexpected GgufMetadata::unfit_element(std::string_view key, size_t index, const GgufScalar& value,
                                       const std::string& wanted) const {
  return failed("{}: key {}: element {} {}; {}", path_, key, index,
                std::visit([](const auto& it) { return describe(it); }, value), wanted);
}

}  // namespace spillway
