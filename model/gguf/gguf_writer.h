#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/gguf/gguf.h"

namespace spillway {

// Puts the head of a GGUF of version 3 together: keys first, then tensors, in the order in which they are
// added. The tensors' bytes follow it in that order, each padded to the alignment.
class GgufWriter {
 public:
  explicit GgufWriter(uint64_t alignment) : alignment_(alignment) {}

  // A key, its type and its value as they lie in another file.
  void pair(std::string_view bytes);
  void number(std::string_view key, uint32_t value);

  void tensor(std::string_view name, const std::array<uint64_t, 4>& dims, TensorType type, uint64_t bytes);

  // The head with the padding behind it.
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

// What llama.cpp calls a file most of whose weights are of this type (general.file_type); nothing where it
// has no such number.
std::optional<uint32_t> gguf_file_type(TensorType most);

}  // namespace spillway
