#include "model/text/byte_pairs.h"

#include <algorithm>

namespace spillway {

const Merge* MergeTable::find(TokenId left, TokenId right) const {
  const auto found = merges_.find(key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void PairMerger::add(TokenId id) {
  const uint32_t index = uint32_t(symbols_.size());
  if (index > 0) {
    symbols_.back().next = index;
  }
  symbols_.push_back({id, index == 0 ? kNone : index - 1, kNone});
}

void PairMerger::finish(std::vector<TokenId>& out) {
  if (symbols_.empty()) {
    return;
  }
  for (uint32_t right = 1; right < symbols_.size(); ++right) {
    consider(right - 1, right);
  }
  while (!candidates_.empty()) {
    std::pop_heap(candidates_.begin(), candidates_.end(), comes_later);
    const Candidate best = candidates_.back();
    candidates_.pop_back();
    if (still_there(best)) {
      join(best);
    }
  }
  for (uint32_t i = 0; i != kNone; i = symbols_[i].next) {
    out.push_back(symbols_[i].id);
  }
  symbols_.clear();
}

bool PairMerger::comes_later(const Candidate& a, const Candidate& b) {
  return a.merge.rank != b.merge.rank ? a.merge.rank > b.merge.rank : a.left > b.left;
}

void PairMerger::consider(uint32_t left, uint32_t right) {
  if (left == kNone || right == kNone) {
    return;
  }
  const TokenId left_id = symbols_[left].id;
  const TokenId right_id = symbols_[right].id;
  if (const Merge* merge = table_.find(left_id, right_id)) {
    candidates_.push_back({*merge, left, right, left_id, right_id});
    std::push_heap(candidates_.begin(), candidates_.end(), comes_later);
  }
}

// Returns whether both tokens of the pair are as they were. A token that took part in another merge has
// another id since; between two unchanged neighbours no token can have appeared.
bool PairMerger::still_there(const Candidate& pair) const {
  return symbols_[pair.left].id == pair.left_id && symbols_[pair.right].id == pair.right_id;
}

void PairMerger::join(const Candidate& pair) {
  Symbol& left = symbols_[pair.left];
  Symbol& right = symbols_[pair.right];
  left.id = pair.merge.merged;
  left.next = right.next;
  right.id = kNoToken;
  if (left.next != kNone) {
    symbols_[left.next].previous = pair.left;
  }
  consider(left.previous, pair.left);
  consider(pair.left, left.next);
}

}  // namespace spillway
