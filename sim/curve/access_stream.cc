#include "sim/curve/access_stream.h"

#include <algorithm>
#include <utility>

#include "core/expects.h"
#include "core/for_each_step.h"

namespace spillway {
namespace {

// Positions in a stream are 31-bit numbers in the passes over it.
constexpr size_t kMostAccesses = (size_t(1) << 31) - 1;
constexpr uint32_t kNoStep = 0xffffffff;

CacheCounts row_counts(const AccessStream& stream, const std::vector<uint64_t>& hits, uint32_t row) {
  const uint64_t accesses = stream.row_accesses()[row];
  const uint64_t bytes = stream.geometry().expert_bytes[stream.layer_of_row(row)];
  return {accesses, hits[row], (accesses - hits[row]) * bytes};
}

}  // namespace

CacheCounts& CacheCounts::operator+=(const CacheCounts& other) {
  accesses += other.accesses;
  hits += other.hits;
  missed_bytes += other.missed_bytes;
  return *this;
}

AccessStream::AccessStream(ModelGeometry geometry)
    : geometry_(std::move(geometry)),
      row_accesses_(rows(), 0),
      last_step_(geometry_.expert_count(), kNoStep) {}

Result<AccessStream> AccessStream::load(StepSource& source) {
  AccessStream stream(source.info().geometry);
  Result<void> loaded = for_each_step(source, [&](const Step& step) -> Result<void> {
    if (!stream.append(step)) {
      return failed(
          "step {}: the trace has more than {} accesses, the most that can be analysed; cut the trace first",
          step.index, kMostAccesses);
    }
    return {};
  });
  return loaded ? Result<AccessStream>(std::move(stream)) : propagate(loaded);
}

bool AccessStream::append(const Step& step) {
  if (experts_.size() + step.experts.size() > kMostAccesses) {
    return false;
  }
  if (step.experts.empty()) {
    return true;
  }
  Expects(step.layer < geometry_.layers && geometry_.expert_bytes[step.layer] > 0);
  const uint32_t number = uint32_t(steps_.size());
  const uint32_t first = index_of(geometry_.id(step.layer, 0));
  for (const ExpertId expert : step.experts) {
    Expects(index_of(expert) >= first && index_of(expert) - first < geometry_.experts_per_layer &&
            last_step_[index_of(expert)] != number);
    last_step_[index_of(expert)] = number;
    experts_.push_back(index_of(expert));
  }
  const uint32_t row = row_of(step.phase, step.layer);
  row_accesses_[row] += step.experts.size();
  steps_.back().row = row;
  steps_.push_back({uint32_t(experts_.size()), 0});
  largest_step_bytes_ =
      std::max(largest_step_bytes_, step.experts.size() * geometry_.expert_bytes[step.layer]);
  return true;
}

CacheCounts phase_counts(const AccessStream& stream, const std::vector<uint64_t>& hits, Phase phase) {
  CacheCounts sum;
  for (uint32_t layer = 0; layer < stream.geometry().layers; ++layer) {
    sum += row_counts(stream, hits, stream.row_of(phase, layer));
  }
  return sum;
}

CacheCounts layer_counts(const AccessStream& stream, const std::vector<uint64_t>& hits, uint32_t layer) {
  CacheCounts sum = row_counts(stream, hits, stream.row_of(Phase::prefill, layer));
  sum += row_counts(stream, hits, stream.row_of(Phase::decode, layer));
  return sum;
}

CacheCounts total_counts(const AccessStream& stream, const std::vector<uint64_t>& hits) {
  CacheCounts sum = phase_counts(stream, hits, Phase::prefill);
  sum += phase_counts(stream, hits, Phase::decode);
  return sum;
}

std::vector<uint64_t> first_uses(const AccessStream& stream) {
  std::vector<uint64_t> counts(stream.rows(), 0);
  std::vector<bool> seen(stream.geometry().expert_count(), false);
  for (size_t step = 0; step + 1 < stream.steps().size(); ++step) {
    for (uint32_t at = stream.steps()[step].begin; at < stream.steps()[step + 1].begin; ++at) {
      const uint32_t expert = stream.experts()[at];
      counts[stream.steps()[step].row] += seen[expert] ? 0 : 1;
      seen[expert] = true;
    }
  }
  return counts;
}

}  // namespace spillway
