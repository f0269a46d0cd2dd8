#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <vector>

namespace spillway {

// Running sums of 32 neighbours: one register of AVX-512, two of AVX2, four of SSE2. A plain loop over them
// is as fast as explicit vectors of any one width, none of which suits all three instruction sets.
struct alignas(64) RankRow {
  static constexpr uint32_t kLength = 32;
  std::array<uint16_t, kLength> before{};

  [[gnu::always_inline]] void operator-=(const RankRow& other) {
    for (uint32_t entry = 0; entry < kLength; ++entry) {
      before[entry] = uint16_t(before[entry] - other.before[entry]);
    }
  }
};

// [entry]: 1 in the entries behind it, 0 in the others.
inline constexpr std::array<RankRow, RankRow::kLength> kRowsAfter = [] {
  std::array<RankRow, RankRow::kLength> rows{};
  for (uint32_t entry = 0; entry < RankRow::kLength; ++entry) {
    for (uint32_t other = entry + 1; other < RankRow::kLength; ++other) {
      rows[entry].before[other] = 1;
    }
  }
  return rows;
}();

// A window of places, each live or dead, that returns the number of live places behind any place. Places
// become live in order; a live place can die at any time. The places are bits under three layers of sums;
// each sum counts the live places before an entry within its own group of 32. A query takes three loads and a
// population count. A death takes a subtraction from the rest of a row of 32 in each layer.
class LiveRanks {
 public:
  static constexpr uint32_t kWord = 64;
  static constexpr uint32_t kBlock = kWord * RankRow::kLength;
  static constexpr uint32_t kChunk = kBlock * RankRow::kLength;

  // `places` is a multiple of kChunk.
  explicit LiveRanks(uint32_t places)
      : bits_(places / kWord), words_(places / kBlock), blocks_(places / kChunk), chunks_(places / kChunk) {}

  // The data for queries, which stays the same between changes.
  class Reader {
   public:
    explicit Reader(const LiveRanks& ranks)
        : bits_(ranks.bits_.data()),
          words_(ranks.words_.data()->before.data()),
          blocks_(ranks.blocks_.data()->before.data()),
          chunks_(ranks.chunks_.data()),
          live_(ranks.live_) {}

    // Returns how many places after `place` are live; `place` must have been taken.
    [[gnu::always_inline]] uint32_t live_after(uint32_t place) const { return live_ - live_to(place); }

    [[gnu::always_inline]] uint32_t live_to(uint32_t place) const {
      return chunks_[place / kChunk] + blocks_[place / kBlock] + words_[place / kWord] +
             uint32_t(std::popcount(bits_[place / kWord] << (kWord - 1 - place % kWord)));
    }

   private:
    const uint64_t* bits_;
    const uint16_t* words_;
    const uint16_t* blocks_;
    const uint32_t* chunks_;
    uint32_t live_;
  };

  // Returns the live places of a word, which begins with `place`, as bits.
  uint64_t word(uint32_t place) const { return bits_[place / kWord]; }

  // Call this before any place of the word that begins with `place` is taken.
  void open_word(uint32_t place) {
    bits_[place / kWord] = 0;
    const uint32_t sum = place == 0 ? 0 : Reader(*this).live_to(place - 1);
    uint32_t& chunk = chunks_[place / kChunk];
    chunk = place % kChunk == 0 ? sum : chunk;
    uint16_t& block = blocks_[place / kChunk].before[place / kBlock % RankRow::kLength];
    block = place % kBlock == 0 ? uint16_t(sum - chunk) : block;
    words_[place / kBlock].before[place / kWord % RankRow::kLength] = uint16_t(sum - chunk - block);
  }

  // Makes the `count` places from `place` on, all in one word, live.
  [[gnu::always_inline]] void take(uint32_t place, uint32_t count) {
    bits_[place / kWord] |= (~uint64_t(0) >> (kWord - count)) << place % kWord;
    live_ += count;
  }

  [[gnu::always_inline]] void die(const uint32_t* places, uint32_t count) {
    if (chunks_.size() > 1) {
      die_in_chunks(places, count);
      return;
    }
    uint64_t* const bits = bits_.data();
    RankRow* const words = words_.data();
    RankRow blocks = blocks_[0];
    for (uint32_t i = 0; i < count; ++i) {
      const uint32_t place = places[i];
      bits[place / kWord] &= ~(uint64_t(1) << place % kWord);
      subtract_after(words[place / kBlock], place / kWord % RankRow::kLength);
      blocks -= kRowsAfter[place / kBlock];
    }
    blocks_[0] = blocks;
    live_ -= count;
  }

  // Returns to the initial state.
  void clear() { live_ = 0; }

 private:
  [[gnu::noinline]] void die_in_chunks(const uint32_t* places, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
      const uint32_t place = places[i];
      bits_[place / kWord] &= ~(uint64_t(1) << place % kWord);
      subtract_after(words_[place / kBlock], place / kWord % RankRow::kLength);
      subtract_after(blocks_[place / kChunk], place / kBlock % RankRow::kLength);
      for (size_t chunk = place / kChunk + 1; chunk < chunks_.size(); ++chunk) {
        --chunks_[chunk];
      }
    }
    live_ -= count;
  }

  // Subtracts 1 from each entry after `entry`. Entries that are not open yet get their
  // value when they are opened.
  [[gnu::always_inline]] static void subtract_after(RankRow& row, uint32_t entry) {
    row -= kRowsAfter[entry];
  }

  std::vector<uint64_t> bits_;
  std::vector<RankRow> words_;    // per word: live before it in its block
  std::vector<RankRow> blocks_;   // per block: live before it in its chunk
  std::vector<uint32_t> chunks_;  // per chunk: live before it
  uint32_t live_ = 0;
};

}  // namespace spillway
