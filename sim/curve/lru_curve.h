#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "sim/curve/access_stream.h"
#include "sim/curve/isa.h"

namespace spillway {

// The hits of an LRU cache at every size. Sizes are multiples of a granule, at which counts are exact. If all
// experts have one size, that is the granule, and nothing changes between its multiples. Otherwise the
// granule is a power of two, at most half the mean size.
struct LruCurve {
  uint64_t granule_bytes = 0;
  // The smallest size for which the curve holds. Below it the largest step does not fit, and the pager reads
  // some experts without keeping them, which is no longer an LRU cache; use replay_lru() there.
  uint64_t least_bytes = 0;
  // By phase: [granules], hits in a cache of that many granules. Both have the same length, beyond which the
  // hits stay the same.
  std::array<std::vector<uint64_t>, 2> hits;

  // Hits of each row of the stream by itself, at multiples of a coarser granule: [rows][granules], or no
  // granules for a row without accesses.
  uint64_t row_granule_bytes = 0;
  std::vector<std::vector<uint64_t>> row_hits;

  uint64_t hits_at(Phase phase, uint64_t granules) const;
};

// Computes the curve in one pass over the stream. A cache of any size holds the experts on top of one stack,
// the most recently used ones. So an access hits from the size on that is the sum of the sizes down to its
// expert (Mattson, Gecsei, Slutz, Traiger: "Evaluation techniques for storage hierarchies", IBM Systems
// Journal 9(2), 1970). `isa` must be available.
LruCurve lru_curve(const AccessStream& stream, CacheSemantics semantics,
                   CurveIsa isa = available_curve_isas().back());

}  // namespace spillway
