#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/ports.h"

namespace spillway {

// Places of experts on disk: [layer × experts_per_layer + expert] → slot in its layer's table.
using SlotTable = std::vector<uint32_t>;

// Every expert in the place of its number.
SlotTable slots_by_id(const ModelGeometry& geometry);

// How often each two experts of a layer were used by the same token, and the order on disk that follows.
//
// The idea, to put what is used together next to each other so that several small reads become fewer long
// ones, is Ripple's for the neurons of dense models (Wang et al., arXiv 2410.19274), which also sees it as
// the search for a heavy Hamiltonian path. Here the nodes are the experts of a layer, and the path is built
// by the greedy rule: pairs in falling order of their count, ties by the lower numbers; a pair is linked when
// both are still ends of different chains. Chains that no count links follow each other by the lowest
// number in them, each from its end of the lower number. The same counts give the same order everywhere.
class Coactivation {
 public:
  // Fails for a shape whose pairs would take more than 512 MB to count.
  static Result<Coactivation> start(const ModelGeometry& geometry);

  // A step of many tokens counts for each of them by itself: together a batch uses nearly all experts, which
  // says nothing. So does one of which only that union is known.
  void observe(const Step& step);

  SlotTable slots() const;

 private:
  explicit Coactivation(const ModelGeometry& geometry);

  uint64_t pairs() const;  // of a layer
  template <class T, class Number>
  void observe_token(uint32_t layer, std::span<const T> used, Number number);
  void count(uint32_t layer, uint32_t a, uint32_t b);
  std::vector<uint32_t> chain(uint32_t layer) const;

  uint32_t layers_;
  uint32_t experts_;
  uint32_t top_k_;
  std::vector<uint32_t> counts_;  // [layer][pair], the pair a < b at b (b - 1) / 2 + a
};

// Into how many runs of adjacent slots the experts of a decode step fall; 0 when the source has none.
Result<double> runs_per_decode_step(StepSource& steps, const SlotTable& slots);

}  // namespace spillway
