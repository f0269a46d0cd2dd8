#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

// Memory and comparisons for the tests of the kernels.
namespace spillway::test {

struct Free {
  void operator()(std::byte* memory) const { std::free(memory); }
};
using AlignedBlock = std::unique_ptr<std::byte[], Free>;

inline AlignedBlock aligned_block(size_t bytes) {
  return AlignedBlock(static_cast<std::byte*>(std::aligned_alloc(64, bytes)));
}

inline std::vector<uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<uint32_t> bits;
  for (const float value : values) {
    bits.push_back(std::bit_cast<uint32_t>(value));
  }
  return bits;
}

}  // namespace spillway::test
