#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "core/rng.h"
#include "model/kernels/kernels.h"

// Measures how fast one thread multiplies: GB/s of weights for each type and instruction set, from the
// second-level cache and from memory, for one token (decode) and for 64 at once (prefill). Each answer is
// compared with the portable kernel's before the timing: a fast wrong kernel is no result.
namespace spillway {
namespace {

constexpr uint32_t kColumns = 2048;
std::vector<TensorType> types_with_kernels() {
  std::vector<TensorType> types;
  for (const TensorTypeInfo& info : tensor_types()) {
    if (can_multiply(info.type)) {
      types.push_back(info.type);
    }
  }
  return types;
}

struct Free {
  void operator()(std::byte* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<std::byte[], Free>;

Memory aligned_memory(size_t bytes) {
  return Memory(static_cast<std::byte*>(std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096)));
}

// Random bits are fine for speed, except exponents that mean infinity.
struct Weights {
  Memory bytes;
  Matrix matrix;

  Weights(TensorType type, size_t about) {
    const uint64_t row = *row_bytes(type, kColumns);
    const uint32_t rows = static_cast<uint32_t>(about / row);
    const size_t size = (row * rows + 7) / 8 * 8;
    bytes = aligned_memory(size);
    Rng random(1);
    for (size_t at = 0; at < size; at += 8) {
      const uint64_t word = random.next() & 0xbfbfbfbfbfbfbfbfU;
      std::memcpy(bytes.get() + at, &word, 8);
    }
    // A scale of MXFP4 and NVFP4 is an exponent. With tiny scales the processor would spend its time on
    // subnormals.
    for (size_t at = 0; type == TensorType::mxfp4 && at < row * rows; at += 17) {
      bytes[at] = static_cast<std::byte>(118 + at % 8);
    }
    for (size_t at = 0; type == TensorType::nvfp4 && at < row * rows; at += 36) {
      std::memset(bytes.get() + at, 0x38, 4);
    }
    matrix = {type, rows, kColumns, row, bytes.get()};
  }
};

Memory quantized(const Kernels& k, TensorType type, uint32_t tokens) {
  const ActivationType to = activation_type(type);
  const size_t stride = activation_bytes(to, kColumns);
  Memory rows = aligned_memory(stride * tokens);
  Rng random(2);
  std::vector<float> x(kColumns);
  for (uint32_t t = 0; t < tokens; ++t) {
    for (float& value : x) {
      value = static_cast<float>(random.uniform() - 0.5);
    }
    k.quantize(to, x, rows.get() + t * stride);
  }
  return rows;
}

bool agrees_with_portable(const Kernels& k, const Weights& weights, const std::byte* activations,
                          uint32_t tokens) {
  const uint32_t rows = std::min(weights.matrix.rows, 64U);
  std::vector<float> out(size_t(rows) * tokens);
  std::vector<float> expected(out.size());
  k.multiply(weights.matrix, 0, rows, activations, tokens, out.data(), rows);
  kernels(Isa::portable).multiply(weights.matrix, 0, rows, activations, tokens, expected.data(), rows);
  return std::memcmp(out.data(), expected.data(), out.size() * sizeof(float)) == 0;
}

void multiply(benchmark::State& state, Isa isa, TensorType type, size_t bytes, uint32_t tokens) {
  const Kernels& k = kernels(isa);
  const Weights weights(type, bytes);
  const Memory activations = quantized(k, type, tokens);
  if (!agrees_with_portable(k, weights, activations.get(), tokens)) {
    state.SkipWithError("the result differs from the portable kernel's");
    return;
  }
  const Matrix& w = weights.matrix;
  std::vector<float> out(size_t(w.rows) * tokens);
  for (auto _ : state) {
    k.multiply(w, 0, w.rows, activations.get(), tokens, out.data(), w.rows);
    benchmark::ClobberMemory();
  }
  const double runs = static_cast<double>(state.iterations());
  const double products = double(w.rows) * w.columns * tokens;
  state.counters["weights"] =
      benchmark::Counter(double(w.rows * w.row_bytes) * runs, benchmark::Counter::kIsRate);
  state.counters["multiply-adds"] = benchmark::Counter(products * runs, benchmark::Counter::kIsRate);
}

void quantize(benchmark::State& state, Isa isa, TensorType partner) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(quantized(kernels(isa), partner, 1));
  }
}

void register_all() {
  struct Place {
    const char* name;
    size_t bytes;
    uint32_t tokens;
  };
  const Place places[] = {
      {"cache", size_t(256) << 10, 1}, {"memory", size_t(256) << 20, 1}, {"prefill64", size_t(1) << 20, 64}};
  for (const Isa isa : available_isas()) {
    for (const TensorType type : types_with_kernels()) {
      for (const Place& place : places) {
        const std::string name =
            fmt::format("multiply/{}/{}/{}", tensor_type_info(type).name, name_of(isa), place.name);
        benchmark::RegisterBenchmark(name.c_str(), multiply, isa, type, place.bytes, place.tokens);
      }
    }
    benchmark::RegisterBenchmark(fmt::format("quantize/q8_k/{}", name_of(isa)).c_str(), quantize, isa,
                                 TensorType::q4_k);
  }
}

}  // namespace
}  // namespace spillway

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  spillway::register_all();
  benchmark::RunSpecifiedBenchmarks();
}
