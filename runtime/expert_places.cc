#include "runtime/expert_places.h"

#include <algorithm>
#include <utility>

#include "core/expects.h"

namespace spillway {
namespace {

uint64_t place_bytes(std::span<const ByteRange> ranges, uint64_t alignment, uint64_t granule) {
  uint64_t end = 0;
  for (const ByteRange& range : ranges) {
    end = next_multiple(end, granule) + aligned_to(range, alignment).bytes;
  }
  return end;
}

}  // namespace

ByteRange aligned_to(const ByteRange& range, uint64_t alignment) {
  const uint64_t begin = range.offset & ~(alignment - 1);
  return {range.file, begin, next_multiple(range.offset + range.bytes, alignment) - begin};
}

uint64_t arena_bytes_for(const ModelGeometry& geometry, const ExpertStore& store, uint64_t granule,
                         uint64_t capacity) {
  constexpr uint64_t kMostHoles = 256'000'000;
  constexpr uint64_t kHolesShare = 12;
  double worst = 1.0;
  bool mixed = false;
  uint64_t place = 0;
  std::vector<ByteRange> ranges;
  for (uint32_t index = 0; index < geometry.expert_count(); ++index) {
    const uint64_t own = geometry.bytes_of(ExpertId{index});
    if (own > 0) {
      ranges.clear();
      store.ranges(ExpertId{index}, ranges);
      const uint64_t bytes = place_bytes(ranges, granule, granule);
      worst = std::max(worst, double(bytes) / double(own));
      mixed = mixed || (place != 0 && place != bytes);
      place = bytes;
    }
  }
  const uint64_t beside =
      std::max(geometry.largest_token_step_bytes(), mixed ? std::min(kMostHoles, capacity / kHolesShare) : 0);
  return round_up(uint64_t(double(capacity + beside) * worst) + 1, std::max<uint64_t>(granule, 4096));
}

ExpertPlaces::ExpertPlaces(const ModelGeometry& geometry, const ExpertStore& store, const BackendCaps& caps,
                           SlotArena* arena)
    : arena_(arena),
      alignment_(caps.alignment),
      granule_(arena == nullptr ? 1 : arena->granule()),
      places_(caps.carries_bytes ? geometry.expert_count() : 0) {
  Expects(arena == nullptr || (caps.carries_bytes && granule_ % alignment_ == 0));
  std::vector<ByteRange> ranges;
  for (uint32_t index = 0; arena != nullptr && index < geometry.expert_count(); ++index) {
    ranges.clear();
    store.ranges(ExpertId{index}, ranges);
    largest_ = std::max(largest_, place_bytes(ranges, alignment_, granule_));
  }
}

bool ExpertPlaces::take(ExpertId expert, std::span<const ByteRange> ranges) {
  Place& own = places_[index_of(expert)];
  own.memory = arena_->allocate(expert, place_bytes(ranges, alignment_, granule_));
  cheapest_known_ = 0;
  return own.memory != nullptr;
}

bool ExpertPlaces::take_moving(ExpertId expert, std::span<const ByteRange> ranges,
                               FunctionRef<bool(ExpertId)> movable) {
  return join_holes(place_bytes(ranges, alignment_, granule_), SlotArena::kAnyCost, movable) &&
         take(expert, ranges);
}

void ExpertPlaces::make_room(uint64_t most_moved, FunctionRef<bool(ExpertId)> movable) {
  if (most_moved > cheapest_known_ && !join_holes(largest_, most_moved, movable)) {
    cheapest_known_ = most_moved;  // all blocks and holes were searched in vain
  }
}

bool ExpertPlaces::join_holes(uint64_t bytes, uint64_t most_moved, FunctionRef<bool(ExpertId)> movable) {
  const auto moved = [this](ExpertId other, std::byte* to) {
    Place& there = places_[index_of(other)];
    for (std::span<const std::byte>& span : there.spans) {
      span = {to + (span.data() - there.memory), span.size()};
    }
    there.memory = to;
  };
  return arena_->join_holes(bytes, most_moved, movable, moved);
}

void ExpertPlaces::give_back(ExpertId expert) {
  if (arena_ != nullptr && memory(expert) != nullptr) {
    arena_->free(std::exchange(places_[index_of(expert)].memory, nullptr));
    cheapest_known_ = 0;
  }
}

}  // namespace spillway
