#include "runtime/arena.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "core/rng.h"

namespace spillway {
namespace {

struct Held {
  std::byte* place = nullptr;
  uint64_t bytes = 0;
};

const auto all_movable = [](ExpertId) { return true; };
const auto nobody_moves = [](ExpertId, std::byte*) { FAIL() << "an expert was moved in vain"; };

TEST(SlotArena, GivesOutAllOfItsMemoryWhenPlacesAreEqual) {
  std::vector<std::byte> memory(10 * 4096);
  SlotArena arena(memory, 4096);
  std::map<std::byte*, int> places;
  for (uint32_t i = 0; i < 10; ++i) {
    std::byte* place = arena.allocate(ExpertId{i}, 4000);
    ASSERT_NE(place, nullptr);
    EXPECT_EQ(++places[place], 1);
  }
  EXPECT_EQ(arena.free_bytes(), 0U);
  EXPECT_EQ(arena.allocate(ExpertId{10}, 1), nullptr);
}

TEST(SlotArena, JoinsNeighbouringHoles) {
  std::vector<std::byte> memory(3 * 4096);
  SlotArena arena(memory, 4096);
  std::byte* first = arena.allocate(ExpertId{0}, 4096);
  std::byte* second = arena.allocate(ExpertId{1}, 4096);
  std::byte* third = arena.allocate(ExpertId{2}, 4096);
  arena.free(first);
  arena.free(third);
  arena.free(second);
  EXPECT_EQ(arena.allocate(ExpertId{3}, 3 * 4096), memory.data());
}

TEST(SlotArena, MovesTheFewestBytesThatMakeTheHole) {
  std::vector<std::byte> memory(8 * 16);
  SlotArena arena(memory, 16);
  std::byte* place[4] = {};
  place[0] = arena.allocate(ExpertId{0}, 16);          // 0
  std::byte* hole0 = arena.allocate(ExpertId{9}, 16);  // 1: to be a hole
  place[1] = arena.allocate(ExpertId{1}, 32);          // 2, 3
  std::byte* hole1 = arena.allocate(ExpertId{8}, 16);  // 4: to be a hole
  place[2] = arena.allocate(ExpertId{2}, 16);          // 5
  std::byte* hole2 = arena.allocate(ExpertId{7}, 16);  // 6: to be a hole
  place[3] = arena.allocate(ExpertId{3}, 16);          // 7
  std::memset(place[2], 42, 16);
  arena.free(hole0);
  arena.free(hole1);
  arena.free(hole2);
  std::vector<ExpertId> moved;
  const auto on_move = [&](ExpertId id, std::byte* to) {
    moved.push_back(id);
    EXPECT_EQ(to[15], std::byte(42));
  };
  EXPECT_EQ(arena.allocate(ExpertId{4}, 32), nullptr);
  EXPECT_FALSE(arena.has_hole(32));
  EXPECT_FALSE(arena.join_holes(32, 15, all_movable, nobody_moves)) << "that would move 16 bytes";
  EXPECT_TRUE(arena.join_holes(32, 16, all_movable, on_move));
  EXPECT_TRUE(arena.has_hole(32));
  EXPECT_NE(arena.allocate(ExpertId{4}, 32), nullptr);
  EXPECT_EQ(moved, std::vector<ExpertId>{ExpertId{2}});
  EXPECT_EQ(arena.moved_bytes(), 16U);
}

TEST(SlotArena, LeavesWhatMustNotMove) {
  std::vector<std::byte> memory(3 * 16);
  SlotArena arena(memory, 16);
  std::byte* left = arena.allocate(ExpertId{0}, 16);
  arena.allocate(ExpertId{1}, 16);
  std::byte* right = arena.allocate(ExpertId{2}, 16);
  arena.free(left);
  arena.free(right);
  const auto not_one = [](ExpertId id) { return id != ExpertId{1}; };
  EXPECT_FALSE(arena.join_holes(32, SlotArena::kAnyCost, not_one, nobody_moves));
}

TEST(SlotArena, FindsRoomWheneverEnoughIsFreeAndKeepsEveryByte) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    std::vector<std::byte> memory(512 * 64);
    SlotArena arena(memory, 64);
    std::map<ExpertId, Held> held;
    const auto moved = [&](ExpertId id, std::byte* to) { held.at(id).place = to; };
    for (uint32_t id = 0; id < 2000; ++id) {
      const uint64_t bytes = 64 + rng.below(40) * 64;
      while (arena.free_bytes() < bytes) {
        auto victim = held.begin();
        std::advance(victim, std::ptrdiff_t(rng.below(held.size())));
        for (uint64_t i = 0; i < victim->second.bytes; ++i) {
          ASSERT_EQ(victim->second.place[i], std::byte(mix64(index_of(victim->first)) & 0xff));
        }
        arena.free(victim->second.place);
        held.erase(victim);
      }
      ASSERT_TRUE(arena.join_holes(bytes, SlotArena::kAnyCost, all_movable, moved));
      std::byte* place = arena.allocate(ExpertId{id}, bytes);
      ASSERT_NE(place, nullptr);
      std::memset(place, int(mix64(id) & 0xff), bytes);
      held[ExpertId{id}] = {place, bytes};
    }
    EXPECT_GT(arena.moved_bytes(), 0U);
  }
}

}  // namespace
}  // namespace spillway
