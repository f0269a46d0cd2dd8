#include "model/gguf/gguf_writer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/units.h"
#include "model/gguf/gguf_metadata.h"

namespace spillway {
namespace {

constexpr std::string_view kMagicAndVersion = {"GGUF\3\0\0\0", 8};

// Appends a field in little-endian order, which is this machine's own: the reader asserts that.
template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_text(std::string& out, std::string_view text) {
  put(out, uint64_t(text.size()));
  out += text;
}

}  // namespace

void GgufWriter::pair(std::string_view bytes) {
  pairs_ += bytes;
  ++pair_count_;
}

void GgufWriter::number(std::string_view key, uint32_t value) {
  put_text(pairs_, key);
  put(pairs_, uint32_t(GgufType::u32));
  put(pairs_, value);
  ++pair_count_;
}

void GgufWriter::tensor(std::string_view name, const std::array<uint64_t, 4>& dims, TensorType type,
                        uint64_t bytes) {
  size_t count = dims.size();
  while (count > 1 && dims[count - 1] == 1) {
    --count;
  }
  put_text(tensors_, name);
  put(tensors_, uint32_t(count));
  for (size_t i = 0; i < count; ++i) {
    put(tensors_, dims[i]);
  }
  put(tensors_, uint32_t(type));
  put(tensors_, data_bytes_);
  data_bytes_ += bytes + padding_behind(bytes);
  ++tensor_count_;
}

std::string GgufWriter::head() const {
  std::string head(kMagicAndVersion);
  put(head, tensor_count_);
  put(head, pair_count_);
  head += pairs_;
  head += tensors_;
  head.append(padding_behind(head.size()), '\0');
  return head;
}

uint64_t GgufWriter::padding_behind(uint64_t bytes) const {
  return round_up(bytes, alignment_) - bytes;
}

std::optional<uint32_t> gguf_file_type(TensorType most) {
  constexpr std::array<std::pair<TensorType, uint32_t>, 26> kNumbers = {
      {{TensorType::f32, 0},      {TensorType::f16, 1},     {TensorType::q4_0, 2},
       {TensorType::q4_1, 3},     {TensorType::q8_0, 7},    {TensorType::q5_0, 8},
       {TensorType::q5_1, 9},     {TensorType::q2_k, 10},   {TensorType::q3_k, 11},
       {TensorType::q4_k, 14},    {TensorType::q5_k, 16},   {TensorType::q6_k, 18},
       {TensorType::iq2_xxs, 19}, {TensorType::iq2_xs, 20}, {TensorType::iq3_xxs, 23},
       {TensorType::iq1_s, 24},   {TensorType::iq4_nl, 25}, {TensorType::iq3_s, 26},
       {TensorType::iq2_s, 28},   {TensorType::iq4_xs, 30}, {TensorType::iq1_m, 31},
       {TensorType::bf16, 32},    {TensorType::tq1_0, 36},  {TensorType::tq2_0, 37},
       {TensorType::mxfp4, 38},   {TensorType::nvfp4, 39}}};
  const auto* found = std::find_if(kNumbers.begin(), kNumbers.end(),
                                   [most](const auto& number) { return number.first == most; });
  return found == kNumbers.end() ? std::nullopt : std::optional<uint32_t>(found->second);
}

}  // namespace spillway
