#pragma once

#include <cstdint>
#include <vector>

#include "core/ports.h"

namespace spillway {

// How a trace becomes requests to a cache.
enum class CacheSemantics {
  step,     // the pager's: a step's experts are looked up together, and none of them is a victim meanwhile
  request,  // each expert is a request of its own, as cache simulators in the literature have it
};

// A trace as a flat list of the experts it asks for, which is all that a cache's hits depend on. A pass over
// it costs a few nanoseconds an access, where a StepSource costs some forty.
class AccessStream {
 public:
  // Reads `source` to its end. Fails as the source does, and where there are 2^31 accesses or more.
  static Result<AccessStream> load(StepSource& source);

  explicit AccessStream(ModelGeometry geometry);

  // Appends a step: its experts are distinct and of its layer, which has bytes. False, and nothing is
  // appended, when the stream is full.
  bool append(const Step& step);

  // Accesses are counted apart for each phase and layer: a row is one of these pairs.
  uint32_t rows() const { return 2 * geometry_.layers; }
  uint32_t row_of(Phase phase, uint32_t layer) const {
    return (phase == Phase::decode ? geometry_.layers : 0) + layer;
  }
  uint32_t layer_of_row(uint32_t row) const { return row % geometry_.layers; }

  // One that has experts; those of steps()[i] are [begin, steps()[i + 1].begin) of experts().
  struct StepStart {
    uint32_t begin = 0;
    uint32_t row = 0;
  };

  const ModelGeometry& geometry() const { return geometry_; }
  uint32_t accesses() const { return uint32_t(experts_.size()); }
  const std::vector<uint32_t>& experts() const { return experts_; }  // [accesses] indices of ExpertId
  const std::vector<StepStart>& steps() const { return steps_; }  // [steps + 1], the last one where all end
  const std::vector<uint64_t>& row_accesses() const { return row_accesses_; }  // [rows]
  // What a cache must hold to keep every expert of any one step, which is what makes the pager bypass none.
  uint64_t largest_step_bytes() const { return largest_step_bytes_; }

 private:
  ModelGeometry geometry_;
  std::vector<uint32_t> experts_;
  std::vector<StepStart> steps_ = {{}};
  std::vector<uint64_t> row_accesses_;
  std::vector<uint32_t> last_step_;  // by expert: the step that was last to use it, to find one listed twice
  uint64_t largest_step_bytes_ = 0;
};

// Sums over a set of rows.
struct CacheCounts {
  uint64_t accesses = 0;
  uint64_t hits = 0;
  uint64_t missed_bytes = 0;

  uint64_t misses() const { return accesses - hits; }
  double hit_ratio() const { return accesses == 0 ? 0.0 : double(hits) / double(accesses); }
  CacheCounts& operator+=(const CacheCounts& other);
  bool operator==(const CacheCounts&) const = default;
};

// `hits` has one entry a row of `stream`.
CacheCounts phase_counts(const AccessStream& stream, const std::vector<uint64_t>& hits, Phase phase);
CacheCounts layer_counts(const AccessStream& stream, const std::vector<uint64_t>& hits, uint32_t layer);
CacheCounts total_counts(const AccessStream& stream, const std::vector<uint64_t>& hits);

// The first use of each expert, by row: what even an endless cache misses.
std::vector<uint64_t> first_uses(const AccessStream& stream);

}  // namespace spillway
