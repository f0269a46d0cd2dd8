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
  std::vector<uint64_t> hits;  // by row of the stream
  MissCauses causes;
};

// What `spillway curve` finds out.
struct CurveStudy {
  std::string trace_path;
  std::string model;
  CacheSemantics semantics = CacheSemantics::step;
  AccessStream stream;
  LruCurve lru;
  std::vector<uint64_t> first_uses;    // by row of the stream
  std::optional<uint64_t> knee_bytes;  // of the LRU curve: of decode, where there is any
  std::vector<EvictionChoice> policies;
  std::vector<uint64_t> sizes;     // rising where nobody chose them
  std::vector<CurvePoint> points;  // the sizes within each policy; fewer when the study was interrupted

  bool complete() const { return points.size() == policies.size() * sizes.size(); }
};

// What to find out.
struct CurveWish {
  CacheSemantics semantics = CacheSemantics::step;
  std::vector<EvictionChoice> policies;
  std::vector<uint64_t> sizes;  // none: doubling up to all experts, and what the curve itself marks
  uint64_t seed = 1;
};

// The smallest cache there is a point in: it takes what is looked up together.
uint64_t least_cache_bytes(const ModelGeometry& geometry, CacheSemantics semantics);

// On Ctrl-C the study ends with the points it has.
Result<CurveStudy> study_curve(const OpenTrace& trace, const CurveWish& wish);

// `most_points`: of the curve at every size; evenly thinned to so many, both ends kept.
Json to_json(const CurveStudy& study, std::optional<uint64_t> most_points);
std::string to_table(const CurveStudy& study);

}  // namespace spillway
