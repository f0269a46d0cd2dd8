#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/gguf/gguf.h"
#include "model/kernels/kernels.h"

namespace spillway {

// The tensors that stay in memory: all but the routed experts and what decoding never runs. Looked up by name
// and shape while a model is put together; complain_of_unused() then tells whether the file has tensors that
// nobody asked for, without which the model would compute something else than it was trained to.
class ResidentWeights {
 public:
  // What load() needs. `layers`: blocks behind these are not run (multi-token prediction) and not loaded.
  static uint64_t bytes_needed(const Gguf& gguf, uint32_t layers);

  // Reads them into `memory`, which is at least so large, 64-byte aligned, and outlives this.
  static Result<ResidentWeights> load(const Gguf& gguf, uint32_t layers, std::span<std::byte> memory);

  bool has(std::string_view name) const { return gguf_->find(name) != nullptr; }

  // {columns, rows} as the file has it: y = W x takes `columns` values and gives `rows`. Fails when the
  // tensor is missing, has another shape, or is of a type that the kernels do not know.
  Result<Matrix> matrix(const std::string& name, uint32_t columns, uint32_t rows);

  // F32 alone: norms, biases, small filters.
  Result<std::span<const float>> vector(const std::string& name, uint64_t count);

  Result<void> complain_of_unused() const;

 private:
  explicit ResidentWeights(const Gguf& gguf) : gguf_(&gguf) {}
  Result<const std::byte*> use(const GgufTensor& tensor);

  const Gguf* gguf_;
  std::map<std::string, const std::byte*, std::less<>> loaded_;
  std::set<std::string, std::less<>> used_;
};

}  // namespace spillway
