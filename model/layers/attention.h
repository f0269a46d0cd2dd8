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

// Rotary position embedding in the NeoX pairing (i, i + rotated / 2); what is beyond `rotated` passes
// through.
struct Rope {
  uint32_t rotated = 0;  // values of a head; even
  float base = 10000;
  // For models that also see images: which pairs turn with the position in the text. All zero: every pair.
  // Pair p, s = p mod (sum of the sections): s % 3 picks temporal, height or width while s < 3 × its section,
  // and these are the text position; what is left has position 0.
  std::array<int32_t, 4> sections{};
};

enum class HeadNorm {
  per_head,   // each head of q and k by itself, with weights [head_size]
  all_heads,  // q and k as a whole, with weights [heads × head_size]
};

struct AttentionWeights {
  Matrix q;  // with gated: [heads][q, gate]
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
  bool gated = false;  // the heads' outputs times sigmoid of a gate that is projected beside q
};

// Causal grouped-query attention over a cache of `context` positions, whose pages become real as they are
// used. Fails where there is not enough address space for it.
Result<std::unique_ptr<Mixer>> make_attention(const AttentionWeights& weights, const AttentionShape& shape,
                                              uint32_t context, KvType kv);

}  // namespace spillway
