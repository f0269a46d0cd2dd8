#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/units.h"

namespace spillway {

// A sample of a range compares this many words of eight bytes: the first, the last, and the others at places
// that look random.
inline constexpr uint64_t kSampledWords = 8;

// Returns the share of the 4 KiB pages of a range of `bytes` bytes in which a sample compares a word: the
// chance that a sample sees a page whose bytes are all wrong.
inline double page_share_of_sample(uint64_t bytes) {
  const double pages = double(round_up(std::max<uint64_t>(bytes, 1), 4096) / 4096);
  if (pages <= 2) {
    return 1;
  }
  const double elsewhere = 1 - std::pow(1 - 1 / pages, double(kSampledWords - 2));
  return 2 / pages + (1 - 2 / pages) * elsewhere;
}

}  // namespace spillway
