#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "core/result.h"
#include "model/layers/mixer.h"

namespace spillway {

enum class KvType { f16, f32 };

constexpr uint64_t value_bytes(KvType kv) {
  return kv == KvType::f16 ? sizeof(uint16_t) : sizeof(float);
}

// Rotary position embedding in the NeoX pairing: value i of a head pairs with value i + rotated / 2. Values
// from `rotated` on stay as they are.
struct Rope {
  uint32_t rotated = 0;  // how many values of a head turn; even
  float base = 10000;
  float scale = 1;  // multiplies positions: 1 / 4 where the context was stretched to four times its length
  // For models that also see images: the sections select the pairs that turn with the position in the text.
  // All zero: every pair turns. Pair p has s = p mod (sum of the sections); s % 3 picks temporal, height or
  // width while s < 3 × its section. For text, all three of these are the position in the text; the remaining
  // pairs have position 0.
  std::array<int32_t, 4> sections{};
};

enum class HeadNorm {
  per_head,   // norm of each head of q and k by itself, with weights [head_size]
  all_heads,  // norm of q and of k as a whole, with weights [heads × head_size]
};

struct AttentionWeights {
  Matrix q;  // rows of a gated attention: [heads][q, gate]
  Matrix k;
  Matrix v;
  Matrix output;
  std::span<const float> q_norm;
  std::span<const float> k_norm;
};

struct AttentionShape {
  uint32_t heads = 0;
  uint32_t kv_heads = 0;  // divides heads
  uint32_t head_size = 0;
  HeadNorm norm = HeadNorm::per_head;
  float epsilon = 1e-6F;
  Rope rope;
  // Each head's output is multiplied with the sigmoid of a gate that is projected beside q.
  bool gated = false;
};

// Makes causal grouped-query attention over a cache of `context` positions. The cache's pages take memory
// only once they are used. Fails when there is not enough address space for the cache.
Result<std::unique_ptr<Mixer>> make_attention(const AttentionWeights& weights, const AttentionShape& shape,
                                              uint32_t context, KvType kv);

}  // namespace spillway
