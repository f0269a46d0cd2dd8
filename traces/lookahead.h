#pragma once

#include <cstdint>
#include <vector>

#include "core/geometry.h"
#include "core/step.h"

namespace spillway {

// Measures how often a look-ahead column is right (recall): the share of the experts used by steps of one
// token that were predicted for their layer a given number of layers earlier. Only predictions within a pass
// count, since a column has no others.
class LookaheadRecall {
 public:
  explicit LookaheadRecall(const ModelGeometry& geometry)
      : predicted_(geometry.layers), geometry_(geometry) {}

  // Takes every step, in order.
  void observe(const Step& step);

  struct Distance {
    uint32_t layers = 0;    // number of layers ahead
    uint64_t used = 0;      // experts of the steps for which there was a prediction
    uint64_t foreseen = 0;  // the experts among them that were predicted

    double recall() const { return used == 0 ? 0.0 : double(foreseen) / double(used); }
  };
  // Returns the distances at which experts were predicted, nearest first.
  std::vector<Distance> by_distance() const;

 private:
  std::vector<std::vector<ExpertId>> predicted_;  // by predicting layer, in the current pass
  std::vector<Distance> distances_;               // [layers ahead − 1]
  ModelGeometry geometry_;
  uint64_t pass_ = 0;
};

}  // namespace spillway
