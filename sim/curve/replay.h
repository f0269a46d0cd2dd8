#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "sim/curve/access_stream.h"

// The hits of a cache of one size, counted without the pager. The rules and counts are the same (a test
// compares them), but nothing else is done: the state of an expert is one word, victims are found lazily, and
// a step is looked up as a whole.
namespace spillway {

// The policies follow policies/eviction with default options.
enum class ReplayPolicy { lru, fifo, lfu, belady };

// The position at which each access's expert is used next, [accesses], for Belady's rule. It is
// computed once for all sizes.
class NextUses {
 public:
  NextUses(const AccessStream& stream, CacheSemantics semantics);

  CacheSemantics semantics() const { return semantics_; }
  const std::vector<uint32_t>& keys() const { return keys_; }

 private:
  CacheSemantics semantics_;
  std::vector<uint32_t> keys_;
};

// Each returns, for every row of `stream`, how many accesses hit a cache of `capacity_bytes`. Any capacity is
// allowed: as in the pager, experts that find no room are read without being kept.
std::vector<uint64_t> replay_lru(const AccessStream& stream, CacheSemantics semantics,
                                 uint64_t capacity_bytes);
std::vector<uint64_t> replay_fifo(const AccessStream& stream, CacheSemantics semantics,
                                  uint64_t capacity_bytes);
std::vector<uint64_t> replay_lfu(const AccessStream& stream, CacheSemantics semantics,
                                 uint64_t capacity_bytes);
std::vector<uint64_t> replay_belady(const AccessStream& stream, const NextUses& next_uses,
                                    uint64_t capacity_bytes);

}  // namespace spillway
