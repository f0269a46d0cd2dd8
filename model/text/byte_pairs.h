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
  uint32_t rank = 0;  // the lower, the sooner
  TokenId merged = kNoToken;
};

// Which pairs of neighbouring tokens may become one.
class MergeTable {
 public:
  void reserve(size_t merges) { merges_.reserve(merges); }
  // False, and nothing changes, when the pair is known already.
  bool add(TokenId left, TokenId right, Merge merge) {
    return merges_.emplace(key(left, right), merge).second;
  }
  // nullptr when they stay two.
  const Merge* find(TokenId left, TokenId right) const;

 private:
  // The standard library's hash of a number is the number itself, and a table of pairs is full of equal
  // halves.
  struct Hash {
    size_t operator()(uint64_t pair) const { return mix64(pair); }
  };
  static uint64_t key(TokenId left, TokenId right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }

  std::unordered_map<uint64_t, Merge, Hash> merges_;
};

// Merges the tokens of one piece after the other: always the pair of the lowest rank, and of these the
// leftmost. The tokens are a linked list and the candidates a heap, so that a piece of n bytes takes n log n;
// a candidate whose tokens went into another merge meanwhile is recognised when it comes up.
class PairMerger {
 public:
  explicit PairMerger(const MergeTable& table) : table_(table) {}  // which must outlive it

  // The next token of the piece, which has less than 2^32 - 1 of them.
  void add(TokenId id);
  // Appends what the piece becomes, and is ready for the next one.
  void finish(std::vector<TokenId>& out);

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  struct Symbol {
    TokenId id = kNoToken;  // kNoToken once it was merged into the one before
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
