#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "core/expects.h"
#include "core/ports.h"

namespace spillway {

// Experts in a binary heap, with the smallest key in front and equal keys ordered by id. Each expert's place
// is known, so that its key can change. An operation takes O(log n), and none allocates.
template <class Key>
class IdHeap {
 public:
  explicit IdHeap(uint32_t experts) : places_(experts, kAbsent) { heap_.reserve(experts); }

  bool contains(ExpertId id) const { return places_[index_of(id)] != kAbsent; }
  const Key& key_of(ExpertId id) const { return heap_[places_[index_of(id)]].key; }

  void insert(ExpertId id, const Key& key) {
    Expects(!contains(id));
    heap_.push_back({key, id});
    move_up(heap_.size() - 1);
  }

  void change(ExpertId id, const Key& key) {
    Expects(contains(id));
    const size_t at = places_[index_of(id)];
    heap_[at].key = key;
    move_down(move_up(at));
  }

  void erase(ExpertId id) {
    Expects(contains(id));
    const size_t at = places_[index_of(id)];
    const Entry last = heap_.back();
    heap_.pop_back();
    places_[index_of(id)] = kAbsent;
    if (at < heap_.size()) {
      heap_[at] = last;
      move_down(move_up(at));
    }
  }

  // Replaces each key by the result of `change`; O(n).
  template <class Change>
  void change_all(Change change) {
    for (Entry& entry : heap_) {
      change(entry.key);
    }
    for (size_t at = heap_.size(); at-- > 0;) {
      move_down(at);
    }
  }

  // Returns the smallest entry that may go. The descendants of such an entry need no look: with r refusals on
  // the way, the search sees at most 2r + 1 entries.
  std::optional<ExpertId> first(Evictable may_go) const {
    const Entry* best = nullptr;
    search(0, may_go, best);
    return best == nullptr ? std::nullopt : std::optional(best->id);
  }

 private:
  static constexpr uint32_t kAbsent = std::numeric_limits<uint32_t>::max();

  struct Entry {
    Key key;
    ExpertId id;
    auto operator<=>(const Entry&) const = default;
  };

  void search(size_t at, Evictable may_go, const Entry*& best) const {
    if (at >= heap_.size() || (best != nullptr && *best < heap_[at])) {
      return;
    }
    if (may_go(heap_[at].id)) {
      best = &heap_[at];
      return;
    }
    search(2 * at + 1, may_go, best);
    search(2 * at + 2, may_go, best);
  }

  // Both functions return where the entry came to rest.
  size_t move_up(size_t at) {
    const Entry entry = heap_[at];
    for (; at > 0 && entry < heap_[(at - 1) / 2]; at = (at - 1) / 2) {
      put(at, heap_[(at - 1) / 2]);
    }
    put(at, entry);
    return at;
  }

  size_t move_down(size_t at) {
    const Entry entry = heap_[at];
    for (size_t child = 2 * at + 1; child < heap_.size(); child = 2 * at + 1) {
      if (child + 1 < heap_.size() && heap_[child + 1] < heap_[child]) {
        ++child;
      }
      if (entry < heap_[child]) {
        break;
      }
      put(at, heap_[child]);
      at = child;
    }
    put(at, entry);
    return at;
  }

  void put(size_t at, const Entry& entry) {
    heap_[at] = entry;
    places_[index_of(entry.id)] = uint32_t(at);
  }

  std::vector<Entry> heap_;
  std::vector<uint32_t> places_;  // in heap_, by expert
};

}  // namespace spillway
