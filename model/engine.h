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

// Memory for the values that kernels read: 64-byte aligned, not initialised.
class AlignedBytes {
 public:
  void resize(size_t bytes);  // growing loses the contents
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

// The rows that a matrix is multiplied with, [tokens][columns], and their quantized forms. A form is made
// when it is first asked for.
class Activations {
 public:
  // Sets the shape and leaves the values undefined. Write all rows before asking for a form.
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
  const std::byte* activations = nullptr;  // in the form that activation_type() names for the weights
  float* out = nullptr;
  size_t out_stride = 0;
};

// The kernels of one instruction set and the threads to run them on.
class Engine {
 public:
  Engine(Isa isa, unsigned threads) : kernels_(kernels(isa)), pool_(threads) {}

  const Kernels& k() const { return kernels_; }
  unsigned threads() const { return pool_.size(); }

  // Computes all products together, so that the threads meet once, not once for each. Each product has
  // `tokens` rows of activations.
  void multiply(std::span<const Product> products, uint32_t tokens);

  // Computes one product.
  void multiply(const Matrix& weights, Activations& x, float* out, size_t out_stride);

  // Calls task(i) for each i in [0, count), in any order and in parallel.
  void each(uint32_t count, FunctionRef<void(uint32_t)> task);

  ThreadPool& pool() { return pool_; }

 private:
  const Kernels& kernels_;
  ThreadPool pool_;
};

}  // namespace spillway
