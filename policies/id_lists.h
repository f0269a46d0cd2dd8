#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "core/expects.h"
#include "core/ports.h"

namespace spillway {

// Doubly linked lists of experts; each expert is in at most one of them. The links are a vector indexed by
// ExpertId, followed by one sentinel for each list: every operation is a few writes, and none allocates.
class IdLists {
 public:
  explicit IdLists(uint32_t experts, uint32_t lists = 1)
      : experts_(experts), links_(size_t(experts) + lists), sizes_(lists, 0) {
    for (uint32_t list = 0; list < lists; ++list) {
      links_[experts + list] = {experts + list, experts + list};
    }
  }

  bool contains(ExpertId id) const { return links_[index_of(id)].next != kAbsent; }
  uint32_t size(uint32_t list = 0) const { return sizes_[list]; }

  void push_back(ExpertId id, uint32_t list = 0) {
    Expects(!contains(id));
    link(id, list);
    ++sizes_[list];
  }

  // `list` is the list that contains `id`.
  void erase(ExpertId id, uint32_t list = 0) {
    Expects(contains(id));
    unlink(id);
    links_[index_of(id)] = {};
    --sizes_[list];
  }

  void move_to_back(ExpertId id, uint32_t list = 0) {
    Expects(contains(id));
    unlink(id);
    link(id, list);
  }

  std::optional<ExpertId> front(uint32_t list = 0) const { return expert_at(links_[experts_ + list].next); }

  // Returns the expert behind `id` in its list, or nothing when `id` is the last.
  std::optional<ExpertId> next(ExpertId id) const {
    Expects(contains(id));
    return expert_at(links_[index_of(id)].next);
  }

  // Returns the expert nearest the front that may go.
  std::optional<ExpertId> first(Evictable may_go, uint32_t list = 0) const {
    const uint32_t end = experts_ + list;
    for (uint32_t at = links_[end].next; at != end; at = links_[at].next) {
      if (may_go(ExpertId{at})) {
        return ExpertId{at};
      }
    }
    return std::nullopt;
  }

 private:
  static constexpr uint32_t kAbsent = std::numeric_limits<uint32_t>::max();

  struct Link {
    uint32_t previous = kAbsent;
    uint32_t next = kAbsent;
  };

  std::optional<ExpertId> expert_at(uint32_t link) const {
    return link < experts_ ? std::optional(ExpertId{link}) : std::nullopt;
  }

  void link(ExpertId id, uint32_t list) {
    const uint32_t end = experts_ + list;
    const uint32_t last = links_[end].previous;
    links_[index_of(id)] = {last, end};
    links_[last].next = index_of(id);
    links_[end].previous = index_of(id);
  }

  void unlink(ExpertId id) {
    const Link& gone = links_[index_of(id)];
    links_[gone.previous].next = gone.next;
    links_[gone.next].previous = gone.previous;
  }

  uint32_t experts_;
  std::vector<Link> links_;  // [experts], then [lists] sentinels, each of which ends its list
  std::vector<uint32_t> sizes_;
};

}  // namespace spillway
