#pragma once

#include "core/ports.h"
#include "policies/hints.h"

namespace spillway {

// Proposes the experts that a step's look-ahead predicts for the next `ahead` layers; 0 stands for all layers
// that the look-ahead has. The confidence of each rank is how often that rank was right.
class LookaheadPrefetcher final : public Prefetcher {
 public:
  LookaheadPrefetcher(const ModelGeometry& geometry, uint32_t ahead, double min_confidence)
      : geometry_(geometry), ahead_(ahead), scorecard_(geometry, min_confidence) {}

  void observe(const Step& step) override { scorecard_.observe(step); }

  void propose(const Step& now, HintList& out) override {
    for (size_t rank = 0; rank < now.lookahead.size(); ++rank) {
      if (ahead_ == 0 || geometry_.layer_of(now.lookahead[rank]) <= now.layer + ahead_) {
        scorecard_.propose(now, now.lookahead[rank], rank, out);
      }
    }
  }

 private:
  const ModelGeometry& geometry_;
  const uint32_t ahead_;
  RankScorecard scorecard_;
};

}  // namespace spillway
