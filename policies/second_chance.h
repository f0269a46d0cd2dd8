#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "policies/sized_lists.h"

namespace spillway {

// Counts of uses, and the search for a victim among the experts of a queue that looks at its front: whoever
// has a count there goes to the back with one less, and the first without a count is the victim. The search
// only looks; it remembers whom it passed, and settle() does to them what the search implies once its victim
// has really left. Experts that may not go are neither passed nor moved.
//
// A use costs O(1). The search sees each expert that it passes once, for which that expert was used before:
// amortised O(1), and never more than one look at each, however large the counts.
class SecondChance {
 public:
  struct Choice {
    ExpertId expert{};
    uint32_t count = 0;  // what it has; 0 unless every expert that may go has one
  };

  // Counts stop at `most`.
  SecondChance(uint32_t experts, uint32_t most) : most_(most), counts_(experts, 0) {
    passed_.reserve(experts);
  }

  uint32_t count_of(ExpertId id) const { return counts_[index_of(id)]; }
  void set_count(ExpertId id, uint32_t count) { counts_[index_of(id)] = count; }
  void use(ExpertId id) { counts_[index_of(id)] = std::min(counts_[index_of(id)] + 1, most_); }

  // The one with the smallest count, of equals the one nearest the front: who is first at the front without a
  // count after that many rounds.
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

  // What the latest choose() passed on the way to `choice`: everybody `count` times, and those in front of it
  // once more. A choice that was not among them stands behind them all.
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
