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

// The tensors that stay in memory: all but the routed experts and the blocks that decoding never runs. They
// are looked up by name and shape while a model is built. Then complain_of_unused() checks that every tensor
// was used: without one of them the model would compute something else than it was trained to.
class ResidentWeights {
 public:
  // Returns the memory that load() needs. Blocks from number `layers` on are not run (multi-token
  // prediction) and not loaded.
  static uint64_t bytes_needed(const Gguf& gguf, uint32_t layers);

  // Reads the tensors into `memory`, which has at least bytes_needed() bytes, is 64-byte aligned, and must
  // outlive this object.
  static Result<ResidentWeights> load(const Gguf& gguf, uint32_t layers, std::span<std::byte> memory);

  bool has(std::string_view name) const { return gguf_->find(name) != nullptr; }

  // Returns a matrix of the shape {columns, rows}, in the file's order: y = W x takes `columns`
  // values and gives `rows`. Fails when the tensor is missing, has another shape, or has a type that
  // the kernels do not support.
  Result<Matrix> matrix(const std::string& name, uint32_t columns, uint32_t rows);

  // Returns a vector of type F32: a norm, a bias, a small filter. Fails when a value is no finite number:
  // quantizing the activations behind it would hide that.
  Result<std::span<const float>> vector(const std::string& name, uint64_t count);

  Result<void> complain_of_unused() const;

  // Returns the name of the first tensor with a value that is no finite number. Looks at every value, which
  // takes seconds for gigabytes: to be asked once a computation has gone wrong.
  std::optional<std::string> find_damaged() const;

 private:
  explicit ResidentWeights(const Gguf& gguf) : gguf_(&gguf) {}
  Result<const std::byte*> use(const GgufTensor& tensor);

  const Gguf* gguf_;
  std::map<std::string, const std::byte*, std::less<>> loaded_;
  std::set<std::string, std::less<>> used_;
};

}  // namespace spillway
