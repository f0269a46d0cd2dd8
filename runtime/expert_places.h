#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/function_ref.h"
#include "core/ports.h"
#include "runtime/arena.h"

namespace spillway {

// Returns the bytes of memory that a cache of `capacity` bytes needs. They are the sum of: the experts, with
// the padding that rounding to the arena's `granule` adds at both ends of each range; one token's experts of
// one layer, which a step may read beyond the budget; and, if experts differ in size, a twelfth more for
// holes (at most 256 MB). Without holes, nearly every load would have to move other experts. On the Qwen3-30B
// trace with 4 GB, a twelfth keeps moving down to 0.02 MB per load; half of it to 0.3, none to 5.9.
uint64_t arena_bytes_for(const ModelGeometry& geometry, const ExpertStore& store, uint64_t granule,
                         uint64_t capacity);

// Returns the smallest multiple of `of` that is not below `value`. `of` is a power of two, so no
// division is needed.
inline uint64_t next_multiple(uint64_t value, uint64_t of) {
  return (value + of - 1) & ~(of - 1);
}

// Returns the range that is read for `range`: from the multiple of `alignment` at or before its start to the
// one at or behind its end.
ByteRange aligned_to(const ByteRange& range, uint64_t alignment);

// Knows where the bytes of each expert are: in the arena, in the backend's own mapping, or nowhere if the
// backend carries no bytes.
class ExpertPlaces {
 public:
  // `arena` is null if experts have no places of their own; otherwise it must outlive this object.
  ExpertPlaces(const ModelGeometry& geometry, const ExpertStore& store, const BackendCaps& caps,
               SlotArena* arena);

  bool in_arena() const { return arena_ != nullptr; }
  std::byte* memory(ExpertId expert) const { return places_[index_of(expert)].memory; }

  // Returns where an expert's next range begins within its place, if the ranges before it end at `end`: on a
  // multiple of the arena's granule. A virtual disk was measured to fill memory that begins within a page at
  // 3.1 GB/s and whole pages at 4.0 GB/s, regardless of the offset in the file.
  uint64_t next_range_at(uint64_t end) const { return next_multiple(end, granule_); }

  // Takes a place in the arena for an expert that is read from `ranges`. Returns false if no
  // hole is large enough.
  bool take(ExpertId expert, std::span<const ByteRange> ranges);
  // As take(), but moves experts for which `movable` holds when no hole is large enough.
  bool take_moving(ExpertId expert, std::span<const ByteRange> ranges, FunctionRef<bool(ExpertId)> movable);
  // Makes sure that the next take() finds a hole, if at most `most_moved` bytes have to move for that.
  void make_room(uint64_t most_moved, FunctionRef<bool(ExpertId)> movable);
  void give_back(ExpertId expert);

  // Forgets the expert's addresses and makes room for `ranges` new ones.
  void clear(ExpertId expert, size_t ranges) {
    if (!places_.empty()) {
      places_[index_of(expert)].spans.assign(ranges, {});
    }
  }
  void set(ExpertId expert, size_t range, std::span<const std::byte> bytes) {
    places_[index_of(expert)].spans[range] = bytes;
  }
  ExpertBytes bytes(ExpertId expert) const {
    return places_.empty() ? ExpertBytes() : places_[index_of(expert)].spans;
  }

 private:
  struct Place {
    std::byte* memory = nullptr;
    std::vector<std::span<const std::byte>> spans;  // one for each range
  };

  bool join_holes(uint64_t bytes, uint64_t most_moved, FunctionRef<bool(ExpertId)> movable);

  SlotArena* arena_;
  uint64_t alignment_;
  uint64_t granule_;      // a power of two
  uint64_t largest_ = 0;  // most bytes that an expert needs in the arena
  // Moving at most this many bytes is known to make no room, as long as no expert comes or goes.
  uint64_t cheapest_known_ = 0;
  std::vector<Place> places_;  // by expert; empty when the backend carries no bytes
};

}  // namespace spillway
