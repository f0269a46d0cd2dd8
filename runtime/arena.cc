#include "runtime/arena.h"

#include <algorithm>
#include <cstring>

#include "core/expects.h"
#include "core/units.h"

namespace spillway {

SlotArena::SlotArena(std::span<std::byte> memory, uint64_t granule) : memory_(memory), granule_(granule) {
  add_hole(0, round_down(memory.size(), granule));
}

uint64_t SlotArena::rounded(uint64_t bytes) const {
  return round_up(std::max<uint64_t>(bytes, 1), granule_);
}

std::byte* SlotArena::allocate(ExpertId owner, uint64_t bytes) {
  const uint64_t wanted = rounded(bytes);
  const auto fit = hole_sizes_.lower_bound({wanted, 0});
  if (fit == hole_sizes_.end()) {
    return nullptr;
  }
  const auto [hole_bytes, offset] = *fit;
  remove_hole(offset, hole_bytes);
  if (hole_bytes > wanted) {
    add_hole(offset + wanted, hole_bytes - wanted);
  }
  blocks_.emplace(offset, Block{wanted, owner});
  return memory_.data() + offset;
}

bool SlotArena::join_holes(uint64_t bytes, uint64_t most_moved, FunctionRef<bool(ExpertId)> movable,
                           FunctionRef<void(ExpertId, std::byte*)> moved) {
  if (has_hole(bytes)) {
    return true;
  }
  if (rounded(bytes) > free_bytes_) {
    return false;
  }
  const std::vector<Piece> all = pieces(movable);
  Run run;
  if (!cheapest_run(all, rounded(bytes), run) || run.cost > most_moved) {
    return false;
  }
  uint64_t to = all[run.first].offset;
  const uint64_t end = all[run.last].offset + all[run.last].bytes;
  for (size_t i = run.first; i <= run.last; ++i) {
    const Piece& piece = all[i];
    if (piece.hole) {
      remove_hole(piece.offset, piece.bytes);
      continue;
    }
    if (piece.offset != to) {
      std::memmove(memory_.data() + to, memory_.data() + piece.offset, piece.bytes);
      moved_bytes_ += piece.bytes;
      blocks_.erase(piece.offset);
      blocks_.emplace(to, Block{piece.bytes, piece.owner});
      moved(piece.owner, memory_.data() + to);
    }
    to += piece.bytes;
  }
  add_hole(to, end - to);
  return true;
}

void SlotArena::free(std::byte* place) {
  uint64_t offset = uint64_t(place - memory_.data());
  const auto block = blocks_.find(offset);
  Expects(block != blocks_.end());
  uint64_t bytes = block->second.bytes;
  blocks_.erase(block);
  auto after = holes_.lower_bound(offset);
  if (after != holes_.end() && after->first == offset + bytes) {
    const uint64_t joined = after->second;
    remove_hole(offset + bytes, joined);
    bytes += joined;
  }
  after = holes_.lower_bound(offset);
  if (after != holes_.begin()) {
    const auto [before_offset, before_bytes] = *std::prev(after);
    if (before_offset + before_bytes == offset) {
      remove_hole(before_offset, before_bytes);
      offset = before_offset;
      bytes += before_bytes;
    }
  }
  add_hole(offset, bytes);
}

std::vector<SlotArena::Piece> SlotArena::pieces(FunctionRef<bool(ExpertId)> movable) const {
  std::vector<Piece> all;
  all.reserve(blocks_.size() + holes_.size());
  auto hole = holes_.begin();
  for (const auto& [offset, block] : blocks_) {
    for (; hole != holes_.end() && hole->first < offset; ++hole) {
      all.push_back({.offset = hole->first, .bytes = hole->second, .hole = true});
    }
    all.push_back(
        {.offset = offset, .bytes = block.bytes, .movable = movable(block.owner), .owner = block.owner});
  }
  for (; hole != holes_.end(); ++hole) {
    all.push_back({.offset = hole->first, .bytes = hole->second, .hole = true});
  }
  return all;
}

// Finds the window of pieces that has at least `bytes` bytes of holes, no immovable block, and the
// fewest bytes of blocks.
bool SlotArena::cheapest_run(const std::vector<Piece>& all, uint64_t bytes, Run& best) {
  bool found = false;
  size_t first = 0;
  uint64_t holes = 0;
  uint64_t blocks = 0;
  for (size_t last = 0; last < all.size(); ++last) {
    if (!all[last].hole && !all[last].movable) {
      first = last + 1;
      holes = blocks = 0;
      continue;
    }
    (all[last].hole ? holes : blocks) += all[last].bytes;
    while (first <= last && (!all[first].hole || holes - all[first].bytes >= bytes)) {
      (all[first].hole ? holes : blocks) -= all[first].bytes;
      ++first;
    }
    if (holes >= bytes && all[last].hole && (!found || blocks < best.cost)) {
      best = {first, last, blocks};
      found = true;
    }
  }
  return found;
}

void SlotArena::add_hole(uint64_t offset, uint64_t bytes) {
  if (bytes > 0) {
    holes_.emplace(offset, bytes);
    hole_sizes_.emplace(bytes, offset);
    free_bytes_ += bytes;
  }
}

void SlotArena::remove_hole(uint64_t offset, uint64_t bytes) {
  holes_.erase(offset);
  hole_sizes_.erase({bytes, offset});
  free_bytes_ -= bytes;
}

}  // namespace spillway
