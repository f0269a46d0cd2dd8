#pragma once

#include <cstdint>
#include <vector>

#include "core/ports.h"
#include "traces/stats.h"

namespace spillway {

// Returns the experts, of any layer, that were chosen most often and together fit in `bytes`, by layer and
// with the most popular first. An expert that is too large for the remaining bytes is passed over in favour
// of smaller, less popular ones. Experts that were never chosen are left out. Among equally popular experts,
// those of lower layers and with lower numbers come first.
std::vector<std::vector<ExpertId>> most_popular(const ModelGeometry& geometry, const StatsCollector& seen,
                                                uint64_t bytes);

// The steps of `inner` behind a prefill pass that asks once for the `experts` of each layer, like a runtime
// that fills its cache before it begins. The passes get new numbers. `inner` must outlive this object.
class PreloadSource final : public StepSource {
 public:
  PreloadSource(StepSource& inner, std::vector<std::vector<ExpertId>> experts);

  const SourceInfo& info() const override { return inner_.info(); }
  Result<bool> next(Step& step) override;

 private:
  bool next_to_load(Step& step);

  StepSource& inner_;
  std::vector<std::vector<ExpertId>> experts_;  // by layer
  uint32_t layer_ = 0;                          // layer of the next preloading step
  uint64_t steps_ = 0;
  uint64_t passes_before_ = 0;
};

}  // namespace spillway
