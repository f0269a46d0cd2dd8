#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/ports.h"

namespace spillway {

// The places of experts on disk: [layer × experts_per_layer + expert] → slot in the layer's table.
using SlotTable = std::vector<uint32_t>;

// Returns the table that puts every expert into the slot of its own number.
SlotTable slots_by_id(const ModelGeometry& geometry);

// Counts how often every two experts of a layer were used by the same token, and derives an order on disk.
//
// The order puts experts that are used together next to each other, so that several small reads become fewer
// long ones. Ripple had this idea for the neurons of dense models (Wang et al., arXiv 2410.19274) and also
// saw it as the search for a heavy Hamiltonian path. Here the nodes are the experts of a layer. A greedy rule
// builds the path: it takes the pairs in falling order of their counts, ties by the lower numbers, and links
// a pair if both experts are still ends of different chains. Chains that no count links follow one another by
// the lowest number in them, each beginning at the end with the lower number. The same counts give the same
// order everywhere.
class Coactivation {
 public:
  // Fails for a shape whose pairs would take more than 512 MB to count.
  static Result<Coactivation> start(const ModelGeometry& geometry);

  // Counts the pairs of a step. In a step of many tokens, each token's pairs are counted by themselves: a
  // batch together uses nearly all experts, so its union says nothing. A batch of which only that union is
  // known is not counted.
  void observe(const Step& step);

  SlotTable slots() const;

 private:
  explicit Coactivation(const ModelGeometry& geometry);

  uint64_t pairs() const;  // in a layer
  template <class T, class Number>
  void observe_token(uint32_t layer, std::span<const T> used, Number number);
  void count(uint32_t layer, uint32_t a, uint32_t b);
  std::vector<uint32_t> chain(uint32_t layer) const;

  uint32_t layers_;
  uint32_t experts_;
  uint32_t top_k_;
  std::vector<uint32_t> counts_;  // [layer][pair]; the pair a < b has the index b (b - 1) / 2 + a
};

// Returns the mean number of runs of adjacent slots in which the experts of a decode step lie, or 0 if the
// source has no decode steps.
Result<double> runs_per_decode_step(StepSource& steps, const SlotTable& slots);

}  // namespace spillway
