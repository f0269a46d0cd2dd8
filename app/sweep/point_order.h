#pragma once

#include "app/sweep/points.h"

namespace spillway {

// Sorts points as a person would: numbers, sizes, shares and durations by what they are worth (80MB, 300MB,
// 1GB), and other values by their letters, with numbers inside them as numbers (depth=4, depth=32).
struct PointOrder {
  bool operator()(const PointOf& one, const PointOf& other) const;
};

}  // namespace spillway
