#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/ports.h"

namespace spillway {

// Confidence for proposals that come as a mere ranking: the share of what was proposed at this rank of this
// layer that the layer then used. It starts at the share that blind choice would have.
class Scorecard {
 public:
  // Proposals with less confidence than `least` are scored but not made.
  Scorecard(const ModelGeometry& geometry, double least);

  // Scores what was last proposed for the step's layer. A step of several tokens is no evidence: it may use
  // nearly everything.
  void observe(const Step& step);

  // Appends `expert` to `out`; `now` is the step it is proposed at. Within a layer the best comes first.
  void propose(const Step& now, ExpertId expert, HintList& out);

 private:
  struct Rate {
    float value = 0;
    uint32_t samples = 0;
  };
  struct Proposals {
    uint64_t made_at = 0;  // index of the step
    std::vector<ExpertId> ranked;
  };

  Rate& rate(uint32_t layer, size_t rank);

  const ModelGeometry& geometry_;
  double least_;
  std::vector<Proposals> proposals_;  // by layer
  std::vector<Rate> rates_;           // [layer][rank]
};

// Appends the `count` experts of `layer` with the highest probability, best first and equal ones by number;
// none with less than `least`, none with 0. `probability` has one entry for each expert of the layer.
void append_best(const ModelGeometry& geometry, uint32_t layer, std::span<const float> probability,
                 uint32_t count, double least, HintList& out);

}  // namespace spillway
