#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/ports.h"
#include "core/result.h"
#include "core/step.h"

namespace spillway {

inline constexpr uint32_t kMaxLag = 64;

struct LayerStats {
  uint64_t choices = 0;
  uint32_t distinct = 0;       // experts chosen at least once, by any token
  double entropy_bits = 0;     // order 0: log2 of the equivalent number of equally likely experts
  double top_tenth_share = 0;  // share of the choices: the most popular tenth of the experts (rounded up)
  double lag1_reuse = 0;       // of all tokens
};

// Statistics of a trace. "Reuse at lag n" is the mean share of a token's experts in a layer that the token n
// places before it chose in the same layer too. Published figures count every token, prefill included. The
// figure for decode tokens alone (whichever token came n places before them) is the one that matters to a
// decode run. A batch that lists its experts without their tokens counts only among passes, tokens, accesses
// and distinct experts.
struct TraceStats {
  uint64_t steps = 0;
  uint64_t prefill_passes = 0;
  uint64_t decode_passes = 0;
  uint64_t prefill_tokens = 0;  // of the largest step of each prefill pass: last layers are often pruned
  uint64_t decode_tokens = 0;
  uint32_t sequences = 0;               // number of changes of the sequence, plus one
  uint64_t choices = 0;                 // routing decisions: one per token, layer and place
  uint64_t accesses = 0;                // distinct experts of each step, summed: the requests to a cache
  std::array<double, kMaxLag> reuse{};  // [lag - 1], all tokens
  std::array<double, kMaxLag> reuse_decode{};  // [lag - 1]
  std::vector<LayerStats> layers;

  double mean_distinct = 0;  // per layer with experts
  double entropy_bits = 0;   // per choice
  double entropy_share = 0;  // of log2(experts per layer): 1 is uniform
  double top_tenth_share = 0;
};

// Takes every step, in order.
class StatsCollector {
 public:
  explicit StatsCollector(const ModelGeometry& geometry);

  void observe(const Step& step);
  // Observes every step of `steps`.
  Result<void> observe_all(StepSource& steps);
  TraceStats finish() const;

  // Returns how often each expert of `layer` was chosen. A batch that only lists its experts counts as one
  // choice of each. The result is empty if the layer had no step.
  std::vector<uint64_t> popularity(uint32_t layer) const;

 private:
  // The last 64 tokens in which an expert was chosen: bit n-1 of `chosen` stands for token `at` - n.
  struct History {
    uint64_t chosen = 0;
    uint64_t at = 0;
  };
  struct LagCounts {  // by lag - 1
    std::array<uint64_t, kMaxLag> reused{};
    std::array<uint64_t, kMaxLag> possible{};

    void add(const LagCounts& other);
    std::array<double, kMaxLag> shares() const;
  };
  struct Layer {
    std::vector<uint64_t> counts;   // of choices
    std::vector<uint64_t> batched;  // of batches that list their experts; empty without such a batch
    std::vector<History> history;
    uint64_t tokens = 0;  // tokens since the last such batch
    LagCounts all;
    LagCounts decode;
  };

  void observe_batch(Layer& layer, const Step& step);
  static void observe_token(Layer& layer, Phase phase, std::span<const uint16_t> experts);
  LayerStats layer_stats(const Layer& layer) const;

  ModelGeometry geometry_;
  std::vector<std::unique_ptr<Layer>> layers_;  // made at the first step: a header may claim a million
  TraceStats totals_;
  uint64_t pass_ = 0;
  uint32_t sequence_ = 0;
  uint32_t pass_tokens_ = 0;  // tokens of the pass's largest step so far
  std::vector<uint16_t> listed_;
};

}  // namespace spillway
