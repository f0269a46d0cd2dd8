#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "sim/curve/access_stream.h"
#include "sim/curve/isa.h"

namespace spillway {

// The hits of an LRU cache at every size. Sizes are multiples of a granule, at which counts are exact: the
// size of an expert where all have the same, for between its multiples nothing changes; a power of two no
// larger than half the mean size where there are several.
struct LruCurve {
  uint64_t granule_bytes = 0;
  // From here on the curve holds. Below it the largest step does not fit and the pager reads some experts
  // without keeping them, which leaves no LRU cache behind; ask replay_lru().
  uint64_t least_bytes = 0;
  // By phase: [granules], hits in a cache of so many. Both are of one length, behind which nothing changes.
  std::array<std::vector<uint64_t>, 2> hits;

  // Each row of the stream by itself, at multiples of a coarser granule: [rows][granules], or no granules for
  // a row without accesses.
  uint64_t row_granule_bytes = 0;
  std::vector<std::vector<uint64_t>> row_hits;

  uint64_t hits_at(Phase phase, uint64_t granules) const;
};

// In one pass over the stream. The cache of any size holds the experts on top of one stack, the most recently
// used ones, so the size from which on an access hits is the sum of the sizes down to its expert (Mattson,
// Gecsei, Slutz, Traiger: "Evaluation techniques for storage hierarchies", IBM Systems Journal 9(2), 1970).
// `isa` must be available.
LruCurve lru_curve(const AccessStream& stream, CacheSemantics semantics,
                   CurveIsa isa = available_curve_isas().back());

}  // namespace spillway
