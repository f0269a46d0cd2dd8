#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "core/geometry.h"
#include "policies/id_lists.h"

namespace spillway {

// Returns the bytes of the cache that a policy has to divide: the budget, but no more than the model's size.
inline uint64_t usable_bytes(const ModelGeometry& geometry, uint64_t capacity_bytes) {
  return std::min(capacity_bytes, geometry.total_bytes());
}

// Returns the share `share` (0 to 1) of `bytes`, rounded down.
inline uint64_t share_of(uint64_t bytes, double share) {
  const double part = share * double(bytes);
  return part >= double(bytes) ? bytes : uint64_t(part);
}

// IdLists that also know which list an expert is in and how many bytes the experts of each list have
// together. They are for policies that divide the cache's budget among several lists. Ghosts are remembered
// experts that have no place in the cache; they are members of a list like any other.
class SizedLists {
 public:
  // `geometry` must outlive the lists.
  SizedLists(const ModelGeometry& geometry, uint32_t lists)
      : geometry_(geometry),
        order_(geometry.expert_count(), lists),
        list_of_(geometry.expert_count(), kNowhere),
        bytes_(lists, 0) {}

  bool in(ExpertId id, uint32_t list) const { return list_of_[index_of(id)] == list; }
  uint32_t list_of(ExpertId id) const { return list_of_[index_of(id)]; }
  uint64_t bytes(uint32_t list) const { return bytes_[list]; }

  // Moves the expert from wherever it is, which may be in no list.
  void move_to_back(ExpertId id, uint32_t list) {
    if (list_of(id) != kNowhere) {
      erase(id);
    }
    order_.push_back(id, list);
    list_of_[index_of(id)] = list;
    bytes_[list] += geometry_.bytes_of(id);
  }

  void erase(ExpertId id) {
    const uint32_t list = list_of(id);
    Expects(list != kNowhere);
    order_.erase(id, list);
    list_of_[index_of(id)] = kNowhere;
    bytes_[list] -= geometry_.bytes_of(id);
  }

  std::optional<ExpertId> front(uint32_t list) const { return order_.front(list); }
  std::optional<ExpertId> next(ExpertId id) const { return order_.next(id); }
  std::optional<ExpertId> first(Evictable may_go, uint32_t list) const { return order_.first(may_go, list); }

  // Takes experts off the front until at most `most` bytes remain in the list.
  void shrink(uint32_t list, uint64_t most) {
    while (bytes(list) > most) {
      erase(*front(list));
    }
  }

 private:
  static constexpr uint32_t kNowhere = std::numeric_limits<uint32_t>::max();

  const ModelGeometry& geometry_;
  IdLists order_;
  std::vector<uint32_t> list_of_;  // by expert
  std::vector<uint64_t> bytes_;    // by list
};

}  // namespace spillway
