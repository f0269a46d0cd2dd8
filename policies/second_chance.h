#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "policies/sized_lists.h"

namespace spillway {

// Counts uses and searches a queue for a victim from its front. An expert with a count goes to the back with
// a count one lower, and the first expert without a count is the victim. The search only looks: it remembers
// the experts that it passed, and settle() applies what the search implies once the victim has really left.
// Experts that may not go are neither passed nor moved.
//
// A use costs O(1). The search sees each expert that it passes once, and each pass was paid for by a use:
// amortised O(1). However large the counts, a search looks at each expert at most once.
class SecondChance {
 public:
  struct Choice {
    ExpertId expert{};
    uint32_t count = 0;  // the expert's count; 0 unless every expert that may go has one
  };

  // Counts do not rise beyond `most`.
  SecondChance(uint32_t experts, uint32_t most) : most_(most), counts_(experts, 0) {
    passed_.reserve(experts);
  }

  uint32_t count_of(ExpertId id) const { return counts_[index_of(id)]; }
  void set_count(ExpertId id, uint32_t count) { counts_[index_of(id)] = count; }
  void use(ExpertId id) { counts_[index_of(id)] = std::min(counts_[index_of(id)] + 1, most_); }

  // Returns the expert with the smallest count, and among equals the one nearest the front: after that many
  // rounds it is the first at the front without a count.
  std::optional<Choice> choose(const SizedLists& lists, uint32_t queue, Evictable may_go) {
    passed_.clear();
    std::optional<Choice> best;
    for (std::optional<ExpertId> at = lists.front(queue); at; at = lists.next(*at)) {
      if (!may_go(*at)) {
        continue;
      }
      const uint32_t count = count_of(*at);
      if (!best || count < best->count) {
        best = Choice{*at, count};
      }
      if (count == 0) {
        break;
      }
      passed_.push_back(*at);
    }
    return best;
  }

  // The experts that the latest choose() passed on the way to `choice`: each of them `count` times, and those
  // in front of `choice` once more. A choice that is not among them stands behind them all.
  void settle(SizedLists& lists, uint32_t queue, const Choice& choice) {
    bool in_front = true;
    for (const ExpertId id : passed_) {
      if (id == choice.expert) {
        in_front = false;
        continue;
      }
      counts_[index_of(id)] -= choice.count + (in_front ? 1 : 0);
      if (in_front) {
        lists.move_to_back(id, queue);
      }
    }
  }

 private:
  uint32_t most_;
  std::vector<uint32_t> counts_;  // by expert
  std::vector<ExpertId> passed_;  // in the queue's order
};

}  // namespace spillway
