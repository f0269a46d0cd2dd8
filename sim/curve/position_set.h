#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace spillway {

// A set of numbers below a bound: bits under two layers of summary, 64 to one. Setting a number touches
// three words, and so does finding the greatest. (The layout is that of a van Emde Boas tree with a
// fan-out of a machine word.)
class PositionSet {
 public:
  explicit PositionSet(uint64_t bound)
      : bits_((bound >> 6) + 2), words_((bound >> 12) + 1), blocks_((bound >> 18) + 1) {}

  void insert(uint32_t number) {
    bits_[number >> 6] |= bit(number);
    words_[number >> 12] |= bit(number >> 6);
    blocks_[number >> 18] |= bit(number >> 12);
    last_block_ = last_block_ < number >> 18 ? number >> 18 : last_block_;
  }

  bool contains(uint32_t number) const { return (bits_[number >> 6] & bit(number)) != 0; }

  // Returns how many numbers of [first, last) are in the set.
  uint32_t count(uint32_t first, uint32_t last) const {
    uint32_t sum = 0;
    for (; last - first > 64; first += 64) {
      sum += uint32_t(std::popcount(window(first)));
    }
    return first == last ? 0 : sum + uint32_t(std::popcount(window(first) << (64 - (last - first))));
  }

  // Returns the greatest number; the set must not be empty.
  uint32_t greatest() {
    while (blocks_[last_block_] == 0) {
      --last_block_;
    }
    const uint32_t block = last_block_ << 6 | top(blocks_[last_block_]);
    const uint32_t word = block << 6 | top(words_[block]);
    return word << 6 | top(bits_[word]);
  }

  void erase(uint32_t number) {
    if ((bits_[number >> 6] &= ~bit(number)) == 0 && (words_[number >> 12] &= ~bit(number >> 6)) == 0) {
      blocks_[number >> 18] &= ~bit(number >> 12);
    }
  }

 private:
  static uint64_t bit(uint32_t number) { return uint64_t(1) << (number & 63); }
  static uint32_t top(uint64_t word) { return uint32_t(63 - std::countl_zero(word)); }

  // Returns the 64 bits from `first` on.
  uint64_t window(uint32_t first) const {
    const uint32_t shift = first & 63;
    const uint64_t low = bits_[first >> 6] >> shift;
    return shift == 0 ? low : low | bits_[(first >> 6) + 1] << (64 - shift);
  }

  std::vector<uint64_t> bits_;
  std::vector<uint64_t> words_;   // which of bits_ are not 0
  std::vector<uint64_t> blocks_;  // which of words_ are not 0
  uint32_t last_block_ = 0;       // no block after it is set
};

}  // namespace spillway
