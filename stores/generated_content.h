#pragma once

#include <cstdint>
#include <span>

#include "core/rng.h"

namespace spillway {

// The content of scratch stores: incompressible, and different at every place of every file, so that bytes
// which came from the wrong place are recognised. The little-endian word at offset o, a multiple of 8, is
// mix64(key + o).
class GeneratedContent {
 public:
  // Files of one store that is cut into pieces differ by the number of the piece.
  GeneratedContent(uint64_t seed, uint32_t piece) : key_(mix64(mix64(seed) + piece)) {}

  uint64_t word(uint64_t offset) const { return mix64(key_ + offset); }

  // What belongs at `offset`, of any alignment.
  void fill(uint64_t offset, std::span<std::byte> out) const;

  // Whether `data` is what belongs at `offset`: every byte of it, or a few words, both ends among them.
  bool matches(uint64_t offset, std::span<const std::byte> data) const;
  bool matches_sample(uint64_t offset, std::span<const std::byte> data) const;

 private:
  uint64_t key_;
};

}  // namespace spillway
