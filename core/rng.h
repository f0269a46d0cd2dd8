#pragma once

#include <cstdint>

namespace spillway {

// One step of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014):
// a bijection of 64-bit words that passes for random, so it also fills stores with position-dependent bytes.
constexpr uint64_t mix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

// A seeded generator with the same sequence on every platform, which the standard library's distributions
// lack.
class Rng {
 public:
  explicit Rng(uint64_t seed) : state_(mix64(seed)) {}

  uint64_t next() { return mix64(state_++); }

  // Uniform in [0, bound), bound > 0 (Lemire's multiply-shift; the bias of at most bound/2^64 is of no matter
  // here).
  uint64_t below(uint64_t bound) { return uint64_t((static_cast<unsigned __int128>(next()) * bound) >> 64); }

  // Uniform in [0, 1) with 53 random bits.
  double uniform() { return double(next() >> 11) * 0x1.0p-53; }

 private:
  uint64_t state_;
};

}  // namespace spillway
