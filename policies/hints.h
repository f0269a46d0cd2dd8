#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/ports.h"

namespace spillway {

// Turns what a prefetcher knows of its proposals into confidence. Each proposal belongs to a group that the
// prefetcher chooses, for example its rank. The confidence is the share of the group's earlier proposals that
// their layer then used.
class Scorecard {
 public:
  // Makes one group for each entry of `expected`, the group's confidence before there is evidence. Proposals
  // with less confidence than `least` are scored but not made.
  Scorecard(const ModelGeometry& geometry, const std::vector<float>& expected, double least);

  // Scores the last proposals for the step's layer. A step of several tokens is no evidence, since it may use
  // nearly every expert.
  void observe(const Step& step);

  // Appends `expert` to `out`, as proposed at step `now`.
  void propose(const Step& now, ExpertId expert, size_t group, HintList& out);

 private:
  struct Rate {
    float value = 0;
    uint32_t samples = 0;
  };
  struct Proposal {
    ExpertId expert{};
    size_t group = 0;
  };
  struct Proposals {
    uint64_t made_at = 0;  // index of the step; proposals of a later step replace these
    std::vector<Proposal> list;
  };

  const ModelGeometry& geometry_;
  double least_;
  std::vector<Proposals> proposals_;  // by layer
  std::vector<Rate> rates_;           // by group
};

// The groups of a prefetcher that knows only an order: one group for each rank of each layer, expected to be
// right as often as a blind choice.
class RankScorecard {
 public:
  RankScorecard(const ModelGeometry& geometry, double least);

  void observe(const Step& step) { scorecard_.observe(step); }
  void propose(const Step& now, ExpertId expert, size_t rank, HintList& out);

 private:
  const ModelGeometry& geometry_;
  Scorecard scorecard_;
};

// Appends the `count` experts of `layer` with the highest probability, best first and equal ones by number.
// Experts with a probability of 0 or below `least` are left out. `probability` has one entry for each
// expert of the layer.
void append_best(const ModelGeometry& geometry, uint32_t layer, std::span<const float> probability,
                 uint32_t count, double least, HintList& out);

}  // namespace spillway
