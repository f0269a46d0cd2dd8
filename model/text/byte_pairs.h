#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "core/rng.h"
#include "model/text/vocabulary.h"

namespace spillway {

inline constexpr TokenId kNoToken = -1;

struct Merge {
  uint32_t rank = 0;  // lower ranks are merged first
  TokenId merged = kNoToken;
};

// The pairs of neighbouring tokens that may be merged into one.
class MergeTable {
 public:
  void reserve(size_t merges) { merges_.reserve(merges); }
  // Returns false and changes nothing when the pair is known already.
  bool add(TokenId left, TokenId right, Merge merge) {
    return merges_.emplace(key(left, right), merge).second;
  }
  // Returns nullptr when the two tokens are never merged.
  const Merge* find(TokenId left, TokenId right) const;

 private:
  // The standard library hashes a number to itself, which spreads badly here: a table of pairs
  // is full of equal halves.
  struct Hash {
    size_t operator()(uint64_t pair) const { return mix64(pair); }
  };
  static uint64_t key(TokenId left, TokenId right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }

  std::unordered_map<uint64_t, Merge, Hash> merges_;
};

// Merges the tokens of one piece: always the pair of the lowest rank, the leftmost among equals. The tokens
// are a linked list and the candidate pairs a heap, so that a piece of n bytes takes n log n steps. A
// candidate whose tokens went into another merge meanwhile is recognised when it comes up.
class PairMerger {
 public:
  explicit PairMerger(const MergeTable& table) : table_(table) {}  // `table` must outlive this object

  // Adds the next token of the piece; a piece has fewer than 2^32 - 1 tokens.
  void add(TokenId id);
  // Appends the merged tokens to `out` and is then ready for the next piece.
  void finish(std::vector<TokenId>& out);

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  struct Symbol {
    TokenId id = kNoToken;  // kNoToken once this token was merged into the one before
    uint32_t previous = kNone;
    uint32_t next = kNone;
  };
  struct Candidate {
    Merge merge;
    uint32_t left = kNone;
    uint32_t right = kNone;
    TokenId left_id = kNoToken;
    TokenId right_id = kNoToken;
  };

  static bool comes_later(const Candidate& a, const Candidate& b);
  void consider(uint32_t left, uint32_t right);
  bool still_there(const Candidate& pair) const;
  void join(const Candidate& pair);

  const MergeTable& table_;
  std::vector<Symbol> symbols_;
  std::vector<Candidate> candidates_;  // a heap
};

}  // namespace spillway
