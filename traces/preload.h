#pragma once

#include <cstdint>
#include <vector>

#include "core/ports.h"
#include "traces/stats.h"

namespace spillway {

// The experts that were chosen most often, of any layer, as many as `bytes` hold: one that is too large for
// what is left is passed over for less popular ones that are not. By layer, the most popular first. What was
// never chosen is not among them. Of experts equally popular those of lower layers and numbers come first.
std::vector<std::vector<ExpertId>> most_popular(const ModelGeometry& geometry, const StatsCollector& seen,
                                                uint64_t bytes);

// The steps of `inner`, which outlives it, behind a prefill pass that asks for the `experts` of each layer
// once: what a runtime would do that fills its cache before it begins. Passes are counted anew.
class PreloadSource final : public StepSource {
 public:
  PreloadSource(StepSource& inner, std::vector<std::vector<ExpertId>> experts);

  const SourceInfo& info() const override { return inner_.info(); }
  Result<bool> next(Step& step) override;

 private:
  bool next_to_load(Step& step);

  StepSource& inner_;
  std::vector<std::vector<ExpertId>> experts_;  // by layer
  uint32_t layer_ = 0;                          // of the next step that loads
  uint64_t steps_ = 0;
  uint64_t passes_before_ = 0;
};

}  // namespace spillway
