#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "core/geometry.h"
#include "core/units.h"

namespace spillway {

enum class Phase : uint8_t { prefill, decode };

inline constexpr uint64_t kNeverUsedAgain = std::numeric_limits<uint64_t>::max();

// One layer of one forward pass: the unit in which experts are demanded. A decode pass carries one token, a
// prefill pass a batch of tokens. Vectors that a source cannot fill stay empty.
struct Step {
  uint64_t index = 0;  // 0-based position among the source's steps
  uint64_t pass = 0;   // number of the forward pass; steps of one pass are adjacent
  uint32_t layer = 0;
  uint32_t sequence = 0;  // number of the prompt or conversation
  uint32_t tokens = 1;    // tokens routed in this step
  Phase phase = Phase::decode;

  // Distinct experts in the order of their last choice, see collect_distinct().
  std::vector<ExpertId> experts;
  // For each of `experts`: index of the next step that uses it, or kNeverUsedAgain.
  std::vector<uint64_t> next_use;

  std::vector<uint16_t> choices;   // [tokens][used_top_k] expert numbers within the layer, best first
  std::vector<float> weights;      // the gate weight of each choice, same shape
  std::vector<int32_t> token_ids;  // [tokens]
  // Experts that a predictor expected, at this moment, for later steps; best first.
  std::vector<ExpertId> lookahead;

  // Attention and router of this layer, before its experts are known. The first layer of a pass also carries
  // the time between two passes: head and sampling.
  std::optional<Nanoseconds> attention_time;
  std::optional<Nanoseconds> experts_time;  // all expert FFNs of this layer together
};

// Writes the distinct experts of step.choices into step.experts, ordered by their last occurrence in
// `choices`, so that recency after the step is the same as if its tokens had come one at a time. `seen` is
// scratch with experts_per_layer entries, all false before and after the call.
inline void collect_distinct(const ModelGeometry& geometry, std::vector<bool>& seen, Step& step) {
  step.experts.clear();
  for (size_t i = step.choices.size(); i-- > 0;) {
    const uint16_t choice = step.choices[i];
    if (!seen[choice]) {
      seen[choice] = true;
      step.experts.push_back(geometry.id(step.layer, choice));
    }
  }
  std::reverse(step.experts.begin(), step.experts.end());
  for (const ExpertId id : step.experts) {
    seen[geometry.expert_of(id)] = false;
  }
}

}  // namespace spillway
