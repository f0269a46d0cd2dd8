#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/run/open_trace.h"
#include "core/json_fwd.h"
#include "core/plugins.h"
#include "sim/curve/curve_summary.h"
#include "sim/curve/lru_curve.h"

namespace spillway {

struct CurvePoint {
  EvictionChoice policy;
  uint64_t cache_bytes = 0;
  std::vector<uint64_t> hits;  // for each row of the stream
  MissCauses causes;
};

// The results of `spillway curve`.
struct CurveStudy {
  std::string trace_path;
  std::string model;
  CacheSemantics semantics = CacheSemantics::step;
  AccessStream stream;
  LruCurve lru;
  std::vector<uint64_t> first_uses;    // for each row of the stream
  std::optional<uint64_t> knee_bytes;  // knee of LRU's curve of decode, or of prefill if there is no decode
  std::vector<EvictionChoice> policies;
  std::vector<uint64_t> sizes;     // as the user gave them; default sizes ascend
  std::vector<CurvePoint> points;  // policy by policy, size by size; incomplete after an interrupt

  bool complete() const { return points.size() == policies.size() * sizes.size(); }
};

// The request to study_curve().
struct CurveWish {
  CacheSemantics semantics = CacheSemantics::step;
  std::vector<EvictionChoice> policies;
  std::vector<uint64_t> sizes;  // empty: sizes that double up to all experts, the cliff and the knee
  uint64_t seed = 1;
};

// Returns the size of the smallest cache that can work: it must hold the experts that are looked up together.
uint64_t least_cache_bytes(const ModelGeometry& geometry, CacheSemantics semantics);

// Counts the hits at every point. On Ctrl-C the study ends with the points that are finished.
Result<CurveStudy> study_curve(const OpenTrace& trace, const CurveWish& wish);

// Returns the study as spillway.curve/1. The exact LRU curves are thinned evenly to at most `most_points`
// points; both ends are kept.
Json to_json(const CurveStudy& study, std::optional<uint64_t> most_points);
std::string to_table(const CurveStudy& study);

}  // namespace spillway
