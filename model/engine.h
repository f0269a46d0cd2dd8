#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/function_ref.h"
#include "model/kernels/kernels.h"
#include "model/thread_pool.h"

namespace spillway {

// Memory for values that kernels read: 64-byte aligned, not initialised.
class AlignedBytes {
 public:
  void resize(size_t bytes);  // what was in it is lost when it grows
  std::byte* data() { return data_.get(); }
  float* floats() { return reinterpret_cast<float*>(data_.get()); }

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };
  std::unique_ptr<std::byte[], Free> data_;
  size_t bytes_ = 0;
};

class Engine;

// The rows that a matrix is multiplied with, [tokens][columns], and those of their quantized forms that were
// asked for.
class Activations {
 public:
  // Sets the shape; the values are whatever they were. Write all rows before asking for a form.
  void reshape(uint32_t tokens, uint32_t columns);

  uint32_t tokens() const { return tokens_; }
  uint32_t columns() const { return columns_; }
  float* row(uint32_t token) { return values_.floats() + size_t{token} * columns_; }
  const std::byte* as(ActivationType type, Engine& engine);

 private:
  static constexpr size_t kTypes = 5;
  uint32_t tokens_ = 0;
  uint32_t columns_ = 0;
  AlignedBytes values_;
  std::array<AlignedBytes, kTypes> forms_;
  std::array<bool, kTypes> made_{};
};

// out[t * out_stride + r] = weights row r · activations t
struct Product {
  const Matrix* weights = nullptr;
  const std::byte* activations = nullptr;  // in the weight type's partner
  float* out = nullptr;
  size_t out_stride = 0;
};

// The kernels of one instruction set and the threads to run them on.
class Engine {
 public:
  Engine(Isa isa, unsigned threads) : kernels_(kernels(isa)), pool_(threads) {}

  const Kernels& k() const { return kernels_; }
  unsigned threads() const { return pool_.size(); }

  // All products at once: one meeting of the threads, not one for each. `tokens` rows of activations each.
  void multiply(std::span<const Product> products, uint32_t tokens);

  // One matrix.
  void multiply(const Matrix& weights, Activations& x, float* out, size_t out_stride);

  // task(i) for each i in [0, count), in any order and in parallel.
  void each(uint32_t count, FunctionRef<void(uint32_t)> task);

  ThreadPool& pool() { return pool_; }

 private:
  const Kernels& kernels_;
  ThreadPool pool_;
};

}  // namespace spillway
