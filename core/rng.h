#pragma once

#include <cstdint>

namespace spillway {

// Computes one step of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators",
// OOPSLA 2014). It is a bijection of 64-bit words whose results look random, so it also fills stores with
// position-dependent bytes.
constexpr uint64_t mix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

// A seeded generator with the same sequence on every platform, which the distributions of the standard
// library do not guarantee.
class Rng {
 public:
  explicit Rng(uint64_t seed) : state_(mix64(seed)) {}

  uint64_t next() { return mix64(state_++); }

  // Returns a uniform number in [0, bound), bound > 0, by Lemire's multiply-shift. The bias of at most
  // bound/2^64 does not matter here.
  uint64_t below(uint64_t bound) { return uint64_t((static_cast<unsigned __int128>(next()) * bound) >> 64); }

  // Returns a uniform number in [0, 1) with 53 random bits.
  double uniform() { return double(next() >> 11) * 0x1.0p-53; }

 private:
  uint64_t state_;
};

}  // namespace spillway
