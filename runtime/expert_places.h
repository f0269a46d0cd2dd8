#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/function_ref.h"
#include "core/ports.h"
#include "runtime/arena.h"

namespace spillway {

// The memory that a cache of `capacity` needs: the experts with what rounding to `granule`, the arena's, adds
// at both ends of each range; one token's experts of one layer, for what a step reads beyond the budget; and,
// when experts differ in size, a twelfth more of holes (256 MB at most), without which nearly every load
// would have to move others together. On the Qwen3-30B trace with 4 GB it makes 0.02 MB moved per load; half
// of it 0.3, and none 5.9.
uint64_t arena_bytes_for(const ModelGeometry& geometry, const ExpertStore& store, uint64_t granule,
                         uint64_t capacity);

// Not below `value`; `of` is a power of two, so that it takes no division.
inline uint64_t next_multiple(uint64_t value, uint64_t of) {
  return (value + of - 1) & ~(of - 1);
}

// What is read for `range`: from the multiple of `alignment` before it to the one behind it.
ByteRange aligned_to(const ByteRange& range, uint64_t alignment);

// Where the bytes of each expert are: in the arena, in the backend's own mapping, or nowhere, with a backend
// that carries none.
class ExpertPlaces {
 public:
  // `arena` is null when experts have no place of their own in it; it must outlive the object.
  ExpertPlaces(const ModelGeometry& geometry, const ExpertStore& store, const BackendCaps& caps,
               SlotArena* arena);

  bool in_arena() const { return arena_ != nullptr; }
  std::byte* memory(ExpertId expert) const { return places_[index_of(expert)].memory; }

  // Where in its place an expert's next range begins, when those before it end at `end`. On a multiple of the
  // arena's granule: a virtual disk was seen to fill memory that begins within a page at 3.1 GB/s and whole
  // pages at 4.0, wherever in the file the bytes are from.
  uint64_t next_range_at(uint64_t end) const { return next_multiple(end, granule_); }

  // A place in the arena for an expert that is read from `ranges`, if a hole is large enough.
  bool take(ExpertId expert, std::span<const ByteRange> ranges);
  // As take(), and moves those experts together for which `movable` holds.
  bool take_moving(ExpertId expert, std::span<const ByteRange> ranges, FunctionRef<bool(ExpertId)> movable);
  // Sees to it that the next take() finds a hole, if no more than `most_moved` bytes have to move for it.
  void make_room(uint64_t most_moved, FunctionRef<bool(ExpertId)> movable);
  void give_back(ExpertId expert);

  // Forgets where its ranges are, of which there will be so many.
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
  uint64_t granule_;             // a power of two
  uint64_t largest_ = 0;         // that an expert needs in the arena
  uint64_t cheapest_known_ = 0;  // no room can be made by moving so little, as long as nothing comes or goes
  std::vector<Place> places_;    // by expert; empty when the backend carries no bytes
};

}  // namespace spillway
