#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sim/curve/access_stream.h"

namespace spillway {

// The share of a cache's capacity that an expert takes. If all experts have one size, capacity is counted in
// experts, and sizes are compile-time constants in the passes.
struct OneSize {
  static constexpr bool kUniform = true;
  static constexpr uint64_t of(uint32_t) { return 1; }
};

class SizeByExpert {
 public:
  static constexpr bool kUniform = false;

  explicit SizeByExpert(const ModelGeometry& geometry) : bytes_(geometry.expert_count()) {
    for (uint32_t expert = 0; expert < geometry.expert_count(); ++expert) {
      bytes_[expert] = geometry.bytes_of(ExpertId{expert});
    }
  }
  uint64_t of(uint32_t expert) const { return bytes_[expert]; }

 private:
  std::vector<uint64_t> bytes_;
};

// Returns the size of the experts that `stream` uses if they all have the same; 0 if there are several sizes.
inline uint64_t common_size(const AccessStream& stream) {
  uint64_t common = 0;
  for (uint32_t row = 0; row < stream.rows(); ++row) {
    const uint64_t bytes = stream.geometry().expert_bytes[stream.layer_of_row(row)];
    if (stream.row_accesses()[row] != 0 && bytes != common) {
      if (common != 0) {
        return 0;
      }
      common = bytes;
    }
  }
  return common;
}

// Calls use(sizes, capacity), with the capacity in the unit of the sizes.
template <class Use>
auto with_sizes(const AccessStream& stream, uint64_t capacity_bytes, Use use) {
  const uint64_t common = common_size(stream);
  return common != 0 ? use(OneSize{}, capacity_bytes / common)
                     : use(SizeByExpert(stream.geometry()), capacity_bytes);
}

// Passes the accesses of `stream` to `cache` and returns the hits by row. With step semantics it calls
// cache.look_up(first, last), which returns the hits among experts()[first, last) looked up together;
// otherwise cache.look_up_each(first, last), in which each expert is looked up by itself.
template <class Cache>
std::vector<uint64_t> count_hits(const AccessStream& stream, CacheSemantics semantics, Cache& cache) {
  std::vector<uint64_t> hits(stream.rows(), 0);
  const std::vector<AccessStream::StepStart>& steps = stream.steps();
  for (size_t step = 0; step + 1 < steps.size(); ++step) {
    const uint32_t first = steps[step].begin;
    const uint32_t last = steps[step + 1].begin;
    hits[steps[step].row] +=
        semantics == CacheSemantics::step ? cache.look_up(first, last) : cache.look_up_each(first, last);
  }
  return hits;
}

}  // namespace spillway
