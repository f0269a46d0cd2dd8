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

// Places experts of any size, each contiguously, in one block of memory. All of the memory can be used: where
// holes are large enough only together, the blocks between them are slid aside. So a budget of 10 GB holds 10
// GB of experts, although the experts of a mixed quantization differ in size. With experts of one size
// nothing ever moves.
class SlotArena {
 public:
  // `granule`: places start and end on its multiples. It is a power of two: the alignment that direct I/O
  // needs. The caller owns `memory`, which must outlive the arena.
  SlotArena(std::span<std::byte> memory, uint64_t granule);

  // Returns a place of `bytes` bytes for `owner`, which must have none yet, in the smallest hole that fits.
  // Returns nullptr if no hole fits.
  std::byte* allocate(ExpertId owner, uint64_t bytes);

  // Returns true if allocate() would find a hole for `bytes` bytes.
  bool has_hole(uint64_t bytes) const {
    return !hole_sizes_.empty() && hole_sizes_.rbegin()->first >= rounded(bytes);
  }

  // Makes a hole of `bytes` bytes, unless there is one, by moving the cheapest run of blocks for which
  // `movable` holds. Calls `moved` with each moved owner and its new address, once the bytes are there.
  // Returns false if no run of at most `most_moved` bytes makes the hole.
  static constexpr uint64_t kAnyCost = std::numeric_limits<uint64_t>::max();
  bool join_holes(uint64_t bytes, uint64_t most_moved, FunctionRef<bool(ExpertId)> movable,
                  FunctionRef<void(ExpertId, std::byte*)> moved);

  void free(std::byte* place);

  uint64_t granule() const { return granule_; }
  uint64_t free_bytes() const { return free_bytes_; }
  uint64_t moved_bytes() const { return moved_bytes_; }  // since the start: the cost of fragmentation

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
  struct Run {  // the pieces [first, last]
    size_t first = 0;
    size_t last = 0;
    uint64_t cost = 0;  // bytes of blocks to move
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
  // (bytes, offset): lower_bound() finds the smallest hole that fits.
  std::set<std::pair<uint64_t, uint64_t>> hole_sizes_;
};

}  // namespace spillway
