#pragma once

#include <cstdint>
#include <vector>

#include "core/ports.h"

namespace spillway {

// The ways in which a trace becomes requests to a cache.
enum class CacheSemantics {
  step,  // as in the pager: a step's experts are looked up together, and none of them is a victim meanwhile
  request,  // each expert is a request of its own, as in the literature's cache simulators
};

// A trace as a flat list of its requested experts, on which alone a cache's hits depend. A pass over it costs
// a few nanoseconds an access; a StepSource costs some forty.
class AccessStream {
 public:
  // Reads `source` to its end. Fails if the source fails or has 2^31 accesses or more.
  static Result<AccessStream> load(StepSource& source);

  explicit AccessStream(ModelGeometry geometry);

  // Appends a step, whose experts must be distinct and of its layer, which must have bytes. If the stream is
  // full, returns false and appends nothing.
  bool append(const Step& step);

  // Accesses are counted separately for each phase and layer: each pair of them is a row.
  uint32_t rows() const { return 2 * geometry_.layers; }
  uint32_t row_of(Phase phase, uint32_t layer) const {
    return (phase == Phase::decode ? geometry_.layers : 0) + layer;
  }
  uint32_t layer_of_row(uint32_t row) const { return row % geometry_.layers; }

  // The start of a step that has experts: those of steps()[i] are [begin, steps()[i + 1].begin) of experts().
  struct StepStart {
    uint32_t begin = 0;
    uint32_t row = 0;
  };

  const ModelGeometry& geometry() const { return geometry_; }
  uint32_t accesses() const { return uint32_t(experts_.size()); }
  const std::vector<uint32_t>& experts() const { return experts_; }  // [accesses] indices of ExpertId
  const std::vector<StepStart>& steps() const { return steps_; }  // [steps + 1]; the last is the end of all
  const std::vector<uint64_t>& row_accesses() const { return row_accesses_; }  // [rows]
  // Returns the bytes that a cache needs to keep every expert of any one step. With less, the pager bypasses
  // the cache for some experts.
  uint64_t largest_step_bytes() const { return largest_step_bytes_; }

 private:
  ModelGeometry geometry_;
  std::vector<uint32_t> experts_;
  std::vector<StepStart> steps_ = {{}};
  std::vector<uint64_t> row_accesses_;
  std::vector<uint32_t> last_step_;  // by expert: the last step that used it, to detect duplicates
  uint64_t largest_step_bytes_ = 0;
};

// Counts, summed over a set of rows.
struct CacheCounts {
  uint64_t accesses = 0;
  uint64_t hits = 0;
  uint64_t missed_bytes = 0;

  uint64_t misses() const { return accesses - hits; }
  double hit_ratio() const { return accesses == 0 ? 0.0 : double(hits) / double(accesses); }
  CacheCounts& operator+=(const CacheCounts& other);
  bool operator==(const CacheCounts&) const = default;
};

// Sum up the counts of a phase, of a layer, or of all. `hits` has one entry for each row of `stream`.
CacheCounts phase_counts(const AccessStream& stream, const std::vector<uint64_t>& hits, Phase phase);
CacheCounts layer_counts(const AccessStream& stream, const std::vector<uint64_t>& hits, uint32_t layer);
CacheCounts total_counts(const AccessStream& stream, const std::vector<uint64_t>& hits);

// Counts the first uses of experts, by row: the accesses that even an endless cache misses.
std::vector<uint64_t> first_uses(const AccessStream& stream);

}  // namespace spillway
