#pragma once

#include <cstdint>
#include <span>

#include "core/rng.h"

namespace spillway {

// The content of scratch stores: incompressible, and different at every place of every file, so that bytes
// from a wrong place are recognised. The little-endian word at offset o, a multiple of 8, is mix64(key + o).
class GeneratedContent {
 public:
  // The files of a store that is cut into pieces differ by `piece`, the number of the piece.
  GeneratedContent(uint64_t seed, uint32_t piece) : key_(mix64(mix64(seed) + piece)) {}

  uint64_t word(uint64_t offset) const { return mix64(key_ + offset); }

  // Fills `out` with the content at `offset`, which may have any alignment.
  void fill(uint64_t offset, std::span<std::byte> out) const;

  // Return true if `data` equals the content at `offset`: all of it, or a few words, both ends included.
  bool matches(uint64_t offset, std::span<const std::byte> data) const;
  bool matches_sample(uint64_t offset, std::span<const std::byte> data) const;

 private:
  uint64_t key_;
};

}  // namespace spillway
