#pragma once

#include <cstdint>
#include <vector>

#include "core/geometry.h"
#include "core/step.h"

namespace spillway {

// How often a look-ahead column is right: of the experts that steps of one token used, the share that was
// among the predictions made for their layer so many layers before (recall). Only predictions within a pass
// count, since a column has no others.
class LookaheadRecall {
 public:
  explicit LookaheadRecall(const ModelGeometry& geometry)
      : predicted_(geometry.layers), geometry_(geometry) {}

  // Steps in their order, all of them.
  void observe(const Step& step);

  struct Distance {
    uint32_t layers = 0;    // ahead
    uint64_t used = 0;      // experts of steps for which there was a prediction
    uint64_t foreseen = 0;  // of these, the ones predicted

    double recall() const { return used == 0 ? 0.0 : double(foreseen) / double(used); }
  };
  // Distances at which something was predicted, nearest first.
  std::vector<Distance> by_distance() const;

 private:
  std::vector<std::vector<ExpertId>> predicted_;  // by the layer that predicted, in the pass under way
  std::vector<Distance> distances_;               // [layers ahead − 1]
  ModelGeometry geometry_;
  uint64_t pass_ = 0;
};

}  // namespace spillway
