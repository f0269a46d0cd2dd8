#include "model/weights.h"

#include <algorithm>
#include <cmath>

#include "core/expects.h"
#include "core/units.h"
#include "host/file.h"
#include "model/gguf/foreign_tensors.h"

namespace spillway {
namespace {

constexpr uint64_t kTensorAlignment = 64;

bool is_resident(const GgufTensor& tensor, uint32_t layers) {
  const bool is_expert = tensor.name.ends_with("_exps.weight");
  return !is_expert && !is_left_out(tensor, layers);
}

}  // namespace

uint64_t ResidentWeights::bytes_needed(const Gguf& gguf, uint32_t layers) {
  uint64_t bytes = 0;
  for (const GgufTensor& tensor : gguf.tensors()) {
    bytes += is_resident(tensor, layers) ? round_up(tensor.bytes, kTensorAlignment) : 0;
  }
  return bytes;
}

Result<ResidentWeights> ResidentWeights::load(const Gguf& gguf, uint32_t layers,
                                              std::span<std::byte> memory) {
  Expects(memory.size() >= bytes_needed(gguf, layers));
  ResidentWeights weights(gguf);
  for (uint32_t index = 0; index < gguf.files().size(); ++index) {
    Result<InputFile> file = InputFile::open(gguf.files()[index]);
    if (!file) {
      return propagate(file);
    }
    for (const GgufTensor& tensor : gguf.tensors()) {
      if (tensor.file != index || !is_resident(tensor, layers)) {
        continue;
      }
      const std::span<std::byte> place = memory.first(tensor.bytes);
      memory = memory.subspan(round_up(tensor.bytes, kTensorAlignment));
      if (Result<void> read = file->read_exactly(tensor.offset, place); !read) {
        return propagate(read);
      }
      weights.loaded_.emplace(tensor.name, place.data());
    }
    // The bytes are in our own memory now; a second copy in the page cache would only push other data out.
    file->drop_cached(0, file->size());
  }
  return weights;
}

Result<const std::byte*> ResidentWeights::use(const GgufTensor& tensor) {
  used_.insert(tensor.name);
  const auto place = loaded_.find(tensor.name);
  if (place == loaded_.end()) {
    return failed("{}: tensor {} is not among the tensors that stay in memory", gguf_->path(), tensor.name);
  }
  return place->second;
}

Result<Matrix> ResidentWeights::matrix(const std::string& name, uint32_t columns, uint32_t rows) {
  Result<const GgufTensor*> tensor = gguf_->tensor(name, {columns, rows});
  if (!tensor) {
    return propagate(tensor);
  }
  const TensorTypeInfo& info = tensor_type_info((*tensor)->type);
  if (!can_multiply(info.type)) {
    return failed("{}: tensor {} is of type {}, which this program cannot compute with", gguf_->path(), name,
                  info.name);
  }
  Result<const std::byte*> data = use(**tensor);
  if (!data) {
    return propagate(data);
  }
  return Matrix{.type = info.type,
                .rows = rows,
                .columns = columns,
                .row_bytes = (*tensor)->bytes / rows,
                .data = *data};
}

Result<std::span<const float>> ResidentWeights::vector(const std::string& name, uint64_t count) {
  const GgufTensor* tensor = gguf_->find(name);
  if (tensor == nullptr) {
    return failed("{}: tensor {} is missing", gguf_->path(), name);
  }
  if (tensor->type != TensorType::f32 || tensor->bytes != count * sizeof(float)) {
    return failed("{}: tensor {} is {} {}; {} values of F32 are wanted", gguf_->path(), name,
                  describe_dims(tensor->dims), tensor_type_info(tensor->type).name, count);
  }
  Result<const std::byte*> data = use(*tensor);
  if (!data) {
    return propagate(data);
  }
  const std::span<const float> values(reinterpret_cast<const float*>(*data), count);
  const auto wrong =
      std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  if (wrong != values.end()) {
    return failed("{}: tensor {}: value {} is {}; the file is damaged, get it again", gguf_->path(), name,
                  wrong - values.begin(), *wrong);
  }
  return values;
}

std::optional<std::string> ResidentWeights::find_damaged() const {
  std::vector<float> values;
  for (const auto& [name, place] : loaded_) {
    const GgufTensor& tensor = *gguf_->find(name);
    if (!can_multiply(tensor.type)) {
      continue;
    }
    values.resize(tensor.dims[0]);
    const uint64_t row = *row_bytes(tensor.type, tensor.dims[0]);
    for (uint64_t at = 0; at < tensor.bytes; at += row) {
      dequantize(tensor.type, place + at, values);
      if (!std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); })) {
        return name;
      }
    }
  }
  return std::nullopt;
}

Result<void> ResidentWeights::complain_of_unused() const {
  for (const auto& [name, place] : loaded_) {
    if (!used_.contains(name)) {
      return failed(
          "{}: tensor {} is not used by this program's version of the architecture; without it the model "
          "would "
          "compute something else than it was trained to",
          gguf_->path(), name);
    }
  }
  return {};
}

}  // namespace spillway
