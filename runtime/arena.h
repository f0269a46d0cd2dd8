#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "core/function_ref.h"
#include "core/geometry.h"

namespace spillway {

// Places experts of any size in one block of memory, contiguously each, and all of it can be used: where
// holes are large enough only together, blocks between them are slid aside. So a budget of 10 GB takes 10 GB,
// although the experts of a mixed quantization differ in size. With experts of one size nothing ever moves.
class SlotArena {
 public:
  // `granule`: places start and end on its multiples (a power of two; the alignment direct I/O needs).
  SlotArena(std::span<std::byte> memory, uint64_t granule);

  // A place of `bytes` for `owner`, which has none, in the smallest hole that fits; nullptr when there is
  // none.
  std::byte* allocate(ExpertId owner, uint64_t bytes);

  bool has_hole(uint64_t bytes) const {
    return !hole_sizes_.empty() && hole_sizes_.rbegin()->first >= rounded(bytes);
  }

  // Makes a hole of `bytes`, where there is none, by moving the cheapest run of blocks for which `movable`
  // holds; `moved` hears of each new address once its bytes are there. False when no run of at most
  // `most_moved` bytes is enough.
  static constexpr uint64_t kAnyCost = std::numeric_limits<uint64_t>::max();
  bool join_holes(uint64_t bytes, uint64_t most_moved, FunctionRef<bool(ExpertId)> movable,
                  FunctionRef<void(ExpertId, std::byte*)> moved);

  void free(std::byte* place);

  uint64_t granule() const { return granule_; }
  uint64_t free_bytes() const { return free_bytes_; }
  uint64_t moved_bytes() const { return moved_bytes_; }  // since the start: what fragmentation cost

 private:
  struct Block {
    uint64_t bytes = 0;
    ExpertId owner{};
  };
  struct Piece {  // a block or a hole, in address order
    uint64_t offset = 0;
    uint64_t bytes = 0;
    bool hole = false;
    bool movable = false;
    ExpertId owner{};
  };
  struct Run {  // of pieces [first, last]
    size_t first = 0;
    size_t last = 0;
    uint64_t cost = 0;
  };

  std::vector<Piece> pieces(FunctionRef<bool(ExpertId)> movable) const;
  static bool cheapest_run(const std::vector<Piece>& all, uint64_t bytes, Run& best);
  void add_hole(uint64_t offset, uint64_t bytes);
  void remove_hole(uint64_t offset, uint64_t bytes);
  uint64_t rounded(uint64_t bytes) const;

  std::span<std::byte> memory_;
  uint64_t granule_;
  uint64_t free_bytes_ = 0;
  uint64_t moved_bytes_ = 0;
  std::map<uint64_t, Block> blocks_;    // by offset
  std::map<uint64_t, uint64_t> holes_;  // offset → bytes
  std::set<std::pair<uint64_t, uint64_t>>
      hole_sizes_;  // (bytes, offset): the smallest that fits is a lower_bound
};

}  // namespace spillway
