#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/gguf/gguf.h"

namespace spillway {

// Composes the head of a GGUF file of version 3: keys first, then tensors, each in the order in which they
// are added. The tensors' bytes follow the head in that order, each padded to the alignment.
class GgufWriter {
 public:
  explicit GgufWriter(uint64_t alignment) : alignment_(alignment) {}

  // Adds a key with its type and value, copied from another file.
  void pair(std::string_view bytes);
  void number(std::string_view key, uint32_t value);

  void tensor(std::string_view name, const std::array<uint64_t, 4>& dims, TensorType type, uint64_t bytes);

  // Returns the head, with the padding behind it.
  std::string head() const;

  uint64_t padding_behind(uint64_t bytes) const;
  uint64_t data_bytes() const { return data_bytes_; }

 private:
  const uint64_t alignment_;
  uint64_t pair_count_ = 0;
  uint64_t tensor_count_ = 0;
  uint64_t data_bytes_ = 0;
  std::string pairs_;
  std::string tensors_;
};

// Returns the number that llama.cpp gives to a file most of whose weights are of this type (the key
// general.file_type), or nothing if it has no such number.
std::optional<uint32_t> gguf_file_type(TensorType most);

}  // namespace spillway
